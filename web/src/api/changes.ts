/** Which lists look different when something of another kind has changed (counts, names of others). */
const SHOWN_IN: Readonly<Record<string, readonly string[]>> = {
  account: ["session"],
  sites: ["resources", "gateways"],
  gateways: ["sites", "flows"],
  actors: ["groups", "clients", "access"],
  groups: ["actors", "resources", "policies", "access"],
  resources: ["sites", "policies", "access"],
  policies: ["resources", "access"],
  clients: ["actors", "flows"],
  tokens: ["relay_tokens", "sites", "actors"],
};

/** What the portal says when it does not know what has changed, such as after `apply`. */
export const EVERYTHING = "everything";

/** All first parts of query keys that a change of `kind` makes stale. */
export function staleAfter(kind: string): string[] {
  return [kind, ...(SHOWN_IN[kind] ?? []), "audit"];
}

/** The kind that a `change` event names; null if it is none that we know how to read. */
export function kindOf(text: string): string | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed !== null && typeof parsed === "object" && "kind" in parsed && typeof parsed.kind === "string") {
      return parsed.kind;
    }
  } catch {
    // Not JSON: nothing to learn from it.
  }
  return null;
}
