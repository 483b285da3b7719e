import { expect, it } from "vitest";
import { conditionWords } from "./words";

it("conditions are told in words, also such as came later", () => {
  expect(conditionWords([])).toBe("none: always");
  expect(
    conditionWords([
      { property: "remote_ip", operator: "is_in_cidr", values: ["192.0.2.0/24", "10.0.0.1"] },
      { property: "operators", operator: "x", values: ["y"] },
    ]),
  ).toBe("Public address is in 192.0.2.0/24, 10.0.0.1; operators x y");
});

it("times and verification are told as people say them", () => {
  expect(
    conditionWords([
      { property: "client_verified", operator: "is", values: ["true"] },
      {
        property: "current_utc_datetime",
        operator: "is_in_day_of_week_time_ranges",
        values: ["M/08:00-12:00,13:00-17:30/Europe/Berlin", "R/true/Europe/Berlin"],
      },
    ]),
  ).toBe(
    "The device must be verified; Time is within Monday 08:00-12:00, 13:00-17:30; Thursday all day (Europe/Berlin)",
  );
});
