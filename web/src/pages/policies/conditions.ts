import type { Condition } from "../../api/types";

/** As the API names the days of the week, Monday first. */
export const DAYS = ["M", "T", "W", "R", "F", "S", "U"] as const;
export type Day = (typeof DAYS)[number];

export type Addresses = "any" | "in" | "out";

/** Conditions as the form has them. */
export interface ConditionsDraft {
  addresses: Addresses;
  /** One address or network per line. */
  networks: string;
  mustBeVerified: boolean;
  isTimed: boolean;
  zone: string;
  /** "08:00-12:00, 13:00-17:30"; "all day"; empty: not on that day. */
  hours: Record<Day, string>;
  /** What this form has no fields for stays as it is. */
  others: Condition[];
}

const NEVER: Record<Day, string> = { M: "", T: "", W: "", R: "", F: "", S: "", U: "" };
const WORKING_HOURS: Record<Day, string> = {
  ...NEVER,
  M: "08:00-18:00",
  T: "08:00-18:00",
  W: "08:00-18:00",
  R: "08:00-18:00",
  F: "08:00-18:00",
};
export const ALL_DAY = "00:00-23:59:59";

export interface DayHours {
  day: string;
  ranges: string[];
  zone: string;
}

/** "M/08:00-12:00,13:00-17:30/Europe/Berlin" in its parts. */
export function dayHoursOf(value: string): DayHours {
  const [day = "", ranges = "", ...zone] = value.split("/");
  const list = ranges === "true" ? [ALL_DAY] : ranges.split(",").filter((range) => range !== "");
  return { day, ranges: list, zone: zone.join("/") };
}

function isDay(day: string): day is Day {
  return (DAYS as readonly string[]).includes(day);
}

function hoursOf(values: readonly string[]): { zone: string; hours: Record<Day, string> } | null {
  const parts = values.map(dayHoursOf);
  const zone = parts[0]?.zone;
  if (zone === undefined || parts.some((part) => part.zone !== zone || !isDay(part.day))) return null;
  const hours = { ...NEVER };
  for (const { day, ranges } of parts) {
    if (isDay(day)) hours[day] = [hours[day], ...ranges].filter((range) => range !== "").join(", ");
  }
  return { zone, hours };
}

export function draftOf(conditions: readonly Condition[], localZone: string): ConditionsDraft {
  const draft: ConditionsDraft = {
    addresses: "any",
    networks: "",
    mustBeVerified: false,
    isTimed: false,
    zone: localZone,
    hours: WORKING_HOURS,
    others: [],
  };
  for (const condition of conditions) {
    const { property, operator, values } = condition;
    const times = property === "current_utc_datetime" ? hoursOf(values) : null;
    if (property === "remote_ip") {
      draft.addresses = operator === "is_not_in_cidr" ? "out" : "in";
      draft.networks = values.join("\n");
    } else if (property === "client_verified" && values[0] === "true") {
      draft.mustBeVerified = true;
    } else if (times) {
      draft.isTimed = true;
      draft.zone = times.zone;
      draft.hours = times.hours;
    } else {
      draft.others.push(condition);
    }
  }
  return draft;
}

function parts(typed: string): string[] {
  return typed
    .split(/[,;\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

export function conditionsOf(draft: ConditionsDraft): Condition[] {
  const conditions: Condition[] = [];
  if (draft.addresses !== "any") {
    conditions.push({
      property: "remote_ip",
      operator: draft.addresses === "in" ? "is_in_cidr" : "is_not_in_cidr",
      values: parts(draft.networks),
    });
  }
  if (draft.mustBeVerified) {
    conditions.push({ property: "client_verified", operator: "is", values: ["true"] });
  }
  if (draft.isTimed) {
    conditions.push({
      property: "current_utc_datetime",
      operator: "is_in_day_of_week_time_ranges",
      values: DAYS.filter((day) => parts(draft.hours[day]).length > 0).map(
        (day) => `${day}/${parts(draft.hours[day]).join(",")}/${draft.zone}`,
      ),
    });
  }
  return [...conditions, ...draft.others];
}

/** The one of the browser first, as most people mean their own; without it the list is as long as the world. */
export function zones(localZone: string): string[] {
  const all = Intl.supportedValuesOf("timeZone").filter((zone) => zone !== localZone && zone !== "Etc/UTC");
  return [...new Set([localZone, "Etc/UTC", ...all])];
}
