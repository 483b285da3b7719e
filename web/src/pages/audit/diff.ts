import type { Json } from "../../api/types";

export interface Difference {
  field: string;
  before: string;
  after: string;
}

function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function fieldsOf(value: Json): Record<string, Json> {
  if (value === null) return {};
  return typeof value === "object" && !Array.isArray(value) ? value : { "": value };
}

/** Which fields are not the same before and after, in the order in which they stand. */
export function differences(before: Json, after: Json): Difference[] {
  const old = fieldsOf(before);
  const now = fieldsOf(after);
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .map((field) => ({ field, before: shown(old[field]), after: shown(now[field]) }))
    .filter((pair) => pair.before !== pair.after);
}
