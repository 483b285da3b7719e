/** Where a key moves the choice in a list of `count`; null if it is no such key. */
export function moved(key: string, current: number, count: number): number | null {
  if (count === 0) return null;
  switch (key) {
    case "ArrowDown":
      return (current + 1) % count;
    case "ArrowUp":
      return (current + count - 1) % count;
    default:
      return null;
  }
}
