import { describe, expect, it } from "vitest";
import { kindOf, staleAfter } from "./changes";

describe("a change", () => {
  it("makes lists stale that show it beside their own", () => {
    expect(staleAfter("gateways")).toEqual(["gateways", "sites", "flows", "audit"]);
    expect(staleAfter("policies")).toContain("access");
  });

  it("of a kind that came later concerns its own list", () => {
    expect(staleAfter("providers")).toEqual(["providers", "audit"]);
  });
});

describe("an event", () => {
  it("names its kind", () => {
    expect(kindOf('{"kind":"sites","id":"1"}')).toBe("sites");
  });

  it("that says nothing is ignored", () => {
    for (const text of ["", "{", "null", "7", '{"id":"1"}', '{"kind":7}']) expect(kindOf(text)).toBeNull();
  });
});
