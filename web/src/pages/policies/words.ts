import type { Condition } from "../../api/types";
import { text } from "../../text";
import { ALL_DAY, dayHoursOf } from "./conditions";

function lookUp(words: Readonly<Record<string, unknown>>, key: string): string {
  const found = words[key];
  return typeof found === "string" ? found : key;
}

/** "Monday 08:00-12:00, 13:00-17:30; Tuesday all day (Europe/Berlin)". */
function timeWords(values: readonly string[]): string {
  const parts = values.map(dayHoursOf);
  const zones = new Set(parts.map(({ zone }) => zone));
  return parts
    .map(({ day, ranges, zone }, at) => {
      const times = ranges.map((range) => (range === ALL_DAY ? text.conditions.allDay : range)).join(", ");
      const isLastOfZone = zones.size > 1 || at === parts.length - 1;
      const where = isLastOfZone ? ` (${zone})` : "";
      return `${lookUp(text.conditions.days, day)} ${times || text.conditions.never}${where}`;
    })
    .join("; ");
}

function valueWords(condition: Condition): string {
  return condition.property === "current_utc_datetime" ? timeWords(condition.values) : condition.values.join(", ");
}

/** Conditions as one sentence; all of them must hold. */
export function conditionWords(conditions: readonly Condition[] | null): string {
  if (!conditions || conditions.length === 0) return text.policies.noConditions;
  return conditions
    .map((condition) => {
      const { property, operator, values } = condition;
      if (property === "client_verified") {
        return values[0] === "true" ? text.conditions.mustBeVerified : text.conditions.needNotBeVerified;
      }
      const what = lookUp(text.conditions, property);
      return `${what} ${lookUp(text.conditions.operators, operator)} ${valueWords(condition)}`;
    })
    .join("; ");
}
