/** One per line, as people type lists. */
export function linesOf(typed: string): string[] {
  return typed
    .split(/[\s,]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
