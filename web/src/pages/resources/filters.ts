import type { Filter, Protocol } from "../../api/types";
import { text } from "../../text";

/** Traffic as the form has it: everything, or some protocols with their ports as people type them. */
export interface Traffic {
  isLimited: boolean;
  tcp: boolean;
  udp: boolean;
  icmp: boolean;
  tcpPorts: string;
  udpPorts: string;
}

export function trafficOf(filters: readonly Filter[]): Traffic {
  const of = (protocol: Protocol) => filters.find((filter) => filter.protocol === protocol);
  const ports = (protocol: Protocol) =>
    (of(protocol)?.ports ?? []).map((range) => range.replaceAll(" ", "")).join(", ");
  return {
    isLimited: filters.length > 0,
    tcp: of("tcp") !== undefined,
    udp: of("udp") !== undefined,
    icmp: of("icmp") !== undefined,
    tcpPorts: ports("tcp"),
    udpPorts: ports("udp"),
  };
}

function ports(typed: string): string[] {
  return typed
    .split(/[,;]/)
    .map((range) => range.trim())
    .filter((range) => range !== "");
}

export function filtersOf(traffic: Traffic): Filter[] {
  if (!traffic.isLimited) return [];
  const filters: Filter[] = [];
  if (traffic.tcp) filters.push({ protocol: "tcp", ports: ports(traffic.tcpPorts) });
  if (traffic.udp) filters.push({ protocol: "udp", ports: ports(traffic.udpPorts) });
  if (traffic.icmp) filters.push({ protocol: "icmp", ports: [] });
  return filters;
}

/** No protocol chosen would mean everything to the portal, the opposite of what the form shows. */
export function letsNothingThrough(traffic: Traffic): boolean {
  return traffic.isLimited && filtersOf(traffic).length === 0;
}

export function filterWords(filters: readonly Filter[]): string {
  if (filters.length === 0) return text.resources.everything;
  return filters
    .map(({ protocol, ports: ranges }) => {
      const word = text.resources.protocols[protocol];
      if (protocol === "icmp") return word;
      return `${word} ${ranges.length > 0 ? ranges.join(", ") : text.resources.allPorts}`;
    })
    .join("; ");
}
