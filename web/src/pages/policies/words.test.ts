import { expect, it } from "vitest";
import { conditionWords } from "./words";

it("conditions are told in words, also such as came later", () => {
  expect(conditionWords([])).toBe("none: always");
  expect(
    conditionWords([
      { property: "remote_ip", operator: "is_in_cidr", values: ["192.0.2.0/24", "10.0.0.1"] },
      { property: "operators", operator: "x", values: ["y"] },
    ]),
  ).toBe("Public address is in 192.0.2.0/24, 10.0.0.1; operators x y");
});
