import { describe, expect, it } from "vitest";
import type { Filter } from "../../api/types";
import { filtersOf, filterWords, letsNothingThrough, trafficOf } from "./filters";

const WEB: Filter[] = [
  { protocol: "tcp", ports: ["443", "8000 - 8100"] },
  { protocol: "icmp", ports: [] },
];

describe("traffic", () => {
  it("comes back from the form as the portal gave it", () => {
    const expected = [{ protocol: "tcp", ports: ["443", "8000-8100"] }, WEB[1]];
    expect(filtersOf(trafficOf(WEB))).toEqual(expected);
  });

  it("without filters is everything, and stays that", () => {
    expect(trafficOf([]).isLimited).toBe(false);
    expect(filtersOf(trafficOf([]))).toEqual([]);
  });

  it("keeps ports that are not separated well", () => {
    const traffic = { ...trafficOf(WEB), udp: true, udpPorts: " 53 ;, 123," };
    expect(filtersOf(traffic)[1]).toEqual({ protocol: "udp", ports: ["53", "123"] });
  });

  it("that is limited to nothing must not become everything", () => {
    const nothing = { ...trafficOf(WEB), tcp: false, icmp: false };
    expect(letsNothingThrough(nothing)).toBe(true);
    expect(letsNothingThrough(trafficOf([]))).toBe(false);
    expect(letsNothingThrough(trafficOf(WEB))).toBe(false);
  });

  it("is told in words", () => {
    expect(filterWords(WEB)).toBe("TCP 443, 8000 - 8100; ICMP (ping)");
    expect(filterWords([{ protocol: "udp", ports: [] }])).toBe("UDP all ports");
    expect(filterWords([])).toBe("Everything");
  });
});
