import { describe, expect, it } from "vitest";
import { bodyOf, draftOf } from "./draft";

describe("a resource", () => {
  it("without a name is called by its address", () => {
    expect(bodyOf({ ...draftOf(undefined), address: " wiki.example " })).toMatchObject({
      name: "wiki.example",
      address: "wiki.example",
      address_description: null,
    });
  });

  it("has IP versions only if it is a name", () => {
    expect(bodyOf(draftOf(undefined))).toHaveProperty("ip_stack", "dual");
    expect(bodyOf({ ...draftOf(undefined), type: "cidr" })).not.toHaveProperty("ip_stack");
  });

  it("that is the Internet has no address", () => {
    expect(bodyOf({ ...draftOf(undefined), type: "internet", name: "Internet" })).not.toHaveProperty("address");
  });

  it("that is a pool keeps its devices: only name and traffic are said", () => {
    const body = bodyOf({ ...draftOf(undefined), type: "static_device_pool", name: "printers" });
    expect(Object.keys(body).sort()).toEqual(["filters", "name"]);
  });
});
