import { afterEach, describe, expect, it, vi } from "vitest";
import { data, request, setCsrfToken, withQuery } from "./http";
import { Problem } from "./problem";

function answerWith(status: number, body: string, headers: Record<string, string> = {}) {
  const fetch = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();
  fetch.mockResolvedValue(new Response(status === 204 ? null : body, { status, headers }));
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const headersOf = (fetch: ReturnType<typeof answerWith>) => fetch.mock.calls[0]?.[1].headers as Record<string, string>;

afterEach(() => {
  vi.unstubAllGlobals();
  setCsrfToken(null);
});

describe("a request", () => {
  it("says what it knows of the object, and unwraps the answer", async () => {
    setCsrfToken("secret");
    const fetch = answerWith(200, '{"data":{"id":"1"}}');

    expect(await data("PATCH", "/sites/1", { site: { name: "hq" } }, '"v1"')).toEqual({ id: "1" });

    expect(headersOf(fetch)).toMatchObject({ "If-Match": '"v1"', "X-CSRF-Token": "secret" });
    expect(fetch.mock.calls[0]?.[1].body).toBe('{"site":{"name":"hq"}}');
  });

  it("keeps the token of writing requests out of reading ones", async () => {
    setCsrfToken("secret");
    const fetch = answerWith(200, '{"data":[]}');

    await request("GET", "/sites");

    expect(headersOf(fetch)).not.toHaveProperty("X-CSRF-Token");
  });

  it("is content with an empty answer", async () => {
    answerWith(204, "");

    expect(await data("DELETE", "/session")).toBeNull();
  });

  it("throws what the portal complains about", async () => {
    answerWith(422, '{"code":"validation_failed","errors":{"name":["is taken"]}}');

    await expect(request("POST", "/sites", {})).rejects.toMatchObject({
      status: 422,
      fields: { name: ["is taken"] },
    });
  });

  it("says that nobody answered", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));

    await expect(request("GET", "/sites")).rejects.toEqual(Problem.unreachable());
  });
});

describe("a query", () => {
  it("leaves out what has no value", () => {
    expect(withQuery("/sites", { q: "", limit: 20, page_cursor: null, site_id: undefined })).toBe("/sites?limit=20");
    expect(withQuery("/sites")).toBe("/sites");
    expect(withQuery("/sites", { q: "a&b" })).toBe("/sites?q=a%26b");
  });
});
