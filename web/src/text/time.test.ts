import { describe, expect, it } from "vitest";
import { relative } from "./time";

const NOW = Date.parse("2026-06-01T12:00:00Z");

describe("a time", () => {
  it.each([
    ["2026-06-01T11:59:40Z", "just now"],
    ["2026-06-01T11:57:00Z", "3 minutes ago"],
    ["2026-05-31T11:00:00Z", "yesterday"],
    ["2026-06-01T14:00:00Z", "in 2 hours"],
    ["2024-06-01T12:00:00Z", "2 years ago"],
  ])("%s is %s", (iso, expected) => {
    expect(relative(iso, NOW)).toBe(expected);
  });

  it("that cannot be read is shown as it came", () => {
    expect(relative("never", NOW)).toBe("never");
  });
});
