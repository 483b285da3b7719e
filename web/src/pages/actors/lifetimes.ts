/** Days for which a token may be made. */
export const LIFETIMES = [7, 30, 90, 180, 365] as const;

const DAY_MS = 86_400_000;

/** When a token ends that is made `now` for so many days. */
export function expiry(days: number, now: number): string {
  return new Date(now + days * DAY_MS).toISOString();
}
