import type { Json } from "./types";

/** What the portal answers when it refuses (RFC 9457), or what stands in for it when there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    /** Complaints by field, as the portal words them. */
    readonly fields: Readonly<Record<string, string[]>> = {},
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  static readonly unreachable = (): Problem => new Problem(0, "unreachable", "", "");
}

/** Flattens complaints about parts of a field, such as `connections: [{site_id: ["does not exist"]}]`. */
function sentences(value: Json): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(sentences);
  if (value !== null && typeof value === "object") return Object.values(value).flatMap(sentences);
  return [];
}

export function fieldsOf(errors: Json): Record<string, string[]> {
  if (errors === null || typeof errors !== "object" || Array.isArray(errors)) return {};
  return Object.fromEntries(
    Object.entries(errors)
      .map(([field, value]) => [field, sentences(value)] as const)
      .filter(([, found]) => found.length > 0),
  );
}

export function problemFrom(status: number, body: Json, retryAfter: string | null): Problem {
  const parts = body !== null && typeof body === "object" && !Array.isArray(body) ? body : {};
  const text = (key: string) => (typeof parts[key] === "string" ? parts[key] : "");
  const seconds = retryAfter === null ? Number.NaN : Number.parseInt(retryAfter, 10);
  return new Problem(
    status,
    text("code"),
    text("title"),
    text("detail"),
    fieldsOf(parts.errors ?? null),
    Number.isNaN(seconds) ? null : seconds,
  );
}
