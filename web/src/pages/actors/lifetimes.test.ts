import { expect, it } from "vitest";
import { expiry } from "./lifetimes";

it("a token ends as many days later as it was made for", () => {
  expect(expiry(30, Date.parse("2026-01-31T08:00:00Z"))).toBe("2026-03-02T08:00:00.000Z");
});
