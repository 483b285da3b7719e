import { describe, expect, it } from "vitest";
import { problemFrom } from "./problem";

describe("a refusal of the portal", () => {
  it("has complaints by field", () => {
    const body = { code: "validation_failed", detail: "d", errors: { name: ["can't be blank", "is too short"] } };

    const problem = problemFrom(422, body, null);

    expect(problem.code).toBe("validation_failed");
    expect(problem.fields).toEqual({ name: ["can't be blank", "is too short"] });
  });

  it("flattens complaints about parts of a field", () => {
    const body = { errors: { filters: [{ ports: ["bad format"] }, {}], name: [] } };

    expect(problemFrom(422, body, null).fields).toEqual({ filters: ["bad format"] });
  });

  it("is understood whatever else comes: a proxy's page, a list, nothing", () => {
    for (const body of [null, "Bad Gateway", [1], { errors: "no" }, { code: 5 }]) {
      const problem = problemFrom(502, body, null);
      expect(problem.status).toBe(502);
      expect(problem.fields).toEqual({});
    }
  });

  it("knows when to try again", () => {
    expect(problemFrom(429, {}, "30").retryAfter).toBe(30);
    expect(problemFrom(429, {}, "soon").retryAfter).toBeNull();
  });
});
