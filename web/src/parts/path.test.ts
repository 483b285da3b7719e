import { describe, expect, it } from "vitest";
import { placeOf } from "./path";

describe("a place", () => {
  it.each([
    ["/", { page: "", id: null, mode: null }],
    ["/sites", { page: "sites", id: null, mode: null }],
    ["/sites/", { page: "sites", id: null, mode: null }],
    ["/sites/new", { page: "sites", id: "new", mode: null }],
    ["/sites/1b/edit", { page: "sites", id: "1b", mode: "edit" }],
  ])("%s", (location, place) => {
    expect(placeOf(location)).toEqual(place);
  });
});
