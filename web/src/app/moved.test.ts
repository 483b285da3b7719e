import { describe, expect, it } from "vitest";
import { moved } from "./moved";

describe("arrow keys", () => {
  it("go round", () => {
    expect(moved("ArrowDown", 0, 3)).toBe(1);
    expect(moved("ArrowDown", 2, 3)).toBe(0);
    expect(moved("ArrowUp", 0, 3)).toBe(2);
  });

  it("go nowhere in an empty list, and other keys are not theirs", () => {
    expect(moved("ArrowDown", 0, 0)).toBeNull();
    expect(moved("a", 1, 3)).toBeNull();
  });
});
