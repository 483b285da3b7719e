import { expect, it } from "vitest";
import { linesOf } from "./lines";

it("lists are typed one per line, or with commas", () => {
  expect(linesOf(" 1.1.1.1\n\n9.9.9.9, 8.8.8.8 ")).toEqual(["1.1.1.1", "9.9.9.9", "8.8.8.8"]);
  expect(linesOf("  ")).toEqual([]);
});
