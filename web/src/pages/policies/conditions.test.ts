import { expect, it } from "vitest";
import type { Condition } from "../../api/types";
import { conditionsOf, dayHoursOf, draftOf, zones } from "./conditions";

const provider: Condition = { property: "auth_provider_id", operator: "is_in", values: ["x"] };
const address: Condition = { property: "remote_ip", operator: "is_not_in_cidr", values: ["192.0.2.0/24", "::/0"] };
const verified: Condition = { property: "client_verified", operator: "is", values: ["true"] };
const time: Condition = {
  property: "current_utc_datetime",
  operator: "is_in_day_of_week_time_ranges",
  values: ["M/08:00-12:00,13:00-17:30/America/Argentina/Salta", "U/00:00-23:59:59/America/Argentina/Salta"],
};

it("what the form shows is what the portal has", () => {
  const all = [address, verified, time, provider];
  expect(conditionsOf(draftOf(all, "Europe/Berlin"))).toEqual(all);
  expect(conditionsOf(draftOf([], "Europe/Berlin"))).toEqual([]);
});

it("what the form has no field for is kept", () => {
  const anybody: Condition = { property: "client_verified", operator: "is", values: ["false"] };
  const zoned: Condition = { ...time, values: ["M/true/Etc/UTC", "T/true/Europe/Berlin"] };
  expect(draftOf([anybody, zoned], "Etc/UTC").others).toEqual([anybody, zoned]);
  expect(conditionsOf(draftOf([anybody, zoned], "Etc/UTC"))).toEqual([anybody, zoned]);
});

it("takes what people type", () => {
  const draft = draftOf([], "Europe/Berlin");
  const typed = { ...draft, addresses: "in" as const, networks: " 192.0.2.1 ,\n\n2001:db8::/32;" };
  expect(conditionsOf(typed)[0]?.values).toEqual(["192.0.2.1", "2001:db8::/32"]);
  const hours = { ...draft.hours, M: "8-12, 13-17:30 ", T: "", W: "", R: "", F: "" };
  expect(conditionsOf({ ...draft, isTimed: true, hours })[0]?.values).toEqual(["M/8-12,13-17:30/Europe/Berlin"]);
});

it("a whole day is one range, and a zone may have slashes", () => {
  expect(dayHoursOf("R/true/America/Argentina/Salta")).toEqual({
    day: "R",
    ranges: ["00:00-23:59:59"],
    zone: "America/Argentina/Salta",
  });
  expect(dayHoursOf("S//Etc/UTC").ranges).toEqual([]);
});

it("offers the zone of the browser first", () => {
  expect(zones("Asia/Tokyo").slice(0, 2)).toEqual(["Asia/Tokyo", "Etc/UTC"]);
  expect(new Set(zones("Etc/UTC")).size).toBe(zones("Etc/UTC").length);
});
