import { describe, expect, it } from "vitest";
import { differences } from "./diff";

describe("what changed", () => {
  it("is the fields that differ", () => {
    const before = { name: "hq", filters: [{ protocol: "tcp" }], id: "1" };
    const after = { name: "office", filters: [], id: "1" };

    expect(differences(before, after)).toEqual([
      { field: "name", before: "hq", after: "office" },
      { field: "filters", before: '[{"protocol":"tcp"}]', after: "[]" },
    ]);
  });

  it("is everything of what was made or deleted", () => {
    expect(differences(null, { name: "hq", note: null })).toEqual([{ field: "name", before: "", after: "hq" }]);
    expect(differences({ name: "hq" }, null)).toEqual([{ field: "name", before: "hq", after: "" }]);
  });

  it("is nothing where nothing is known", () => {
    expect(differences(null, null)).toEqual([]);
  });
});
