import { expect, it } from "vitest";
import { stepOf } from "./steps";

it("the first step is where a link leads that names none, or one that is gone", () => {
  expect(stepOf("policy")).toBe("policy");
  expect(stepOf(null)).toBe("site");
  expect(stepOf("billing")).toBe("site");
});
