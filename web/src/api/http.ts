import { Problem, problemFrom } from "./problem";
import type { Json } from "./types";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Answer<T> {
  body: T;
  etag: string | null;
}

let csrfToken: string | null = null;

/** Writing requests carry what `GET /session` said; without it the portal refuses them. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

export type Query = Record<string, string | number | null | undefined>;

/** `path` with those of `query` that have a value. */
export function withQuery(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

async function bodyOf(response: Response): Promise<Json> {
  const text = await response.text();
  if (!text) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

/** Asks the portal. Throws a Problem if it refuses or does not answer. */
export async function request<T>(
  method: Method,
  path: string,
  body?: unknown,
  etag?: string | null,
): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) init.body = JSON.stringify(body);

  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw Problem.unreachable();
  }
  const json = await bodyOf(response);
  if (!response.ok) throw problemFrom(response.status, json, response.headers.get("Retry-After"));
  return { body: json as T, etag: response.headers.get("ETag") };
}

/** The same, and unwraps `{"data": ...}`. */
export async function data<T>(method: Method, path: string, body?: unknown, etag?: string | null): Promise<T> {
  const answer = await request<{ data: T } | null>(method, path, body, etag);
  return (answer.body === null ? null : answer.body.data) as T;
}
