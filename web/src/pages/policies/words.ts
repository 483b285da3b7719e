import type { Condition } from "../../api/types";
import { text } from "../../text";

function lookUp(words: Readonly<Record<string, unknown>>, key: string): string {
  const found = words[key];
  return typeof found === "string" ? found : key;
}

/** Conditions as one sentence; all of them must hold. */
export function conditionWords(conditions: readonly Condition[] | null): string {
  if (!conditions || conditions.length === 0) return text.policies.noConditions;
  return conditions
    .map(({ property, operator, values }) => {
      const what = lookUp(text.conditions, property);
      return `${what} ${lookUp(text.conditions.operators, operator)} ${values.join(", ")}`;
    })
    .join("; ");
}
