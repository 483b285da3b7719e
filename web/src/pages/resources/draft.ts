import type { IpStack, Resource, ResourceType } from "../../api/types";
import { filtersOf, trafficOf, type Traffic } from "./filters";

/** A resource as its form has it. */
export interface Draft {
  type: ResourceType;
  name: string;
  address: string;
  address_description: string;
  ip_stack: IpStack;
  site: string | null;
  traffic: Traffic;
}

export function draftOf(resource: Resource | undefined): Draft {
  return {
    type: resource?.type ?? "dns",
    name: resource?.name ?? "",
    address: resource?.address ?? "",
    address_description: resource?.address_description ?? "",
    ip_stack: resource?.ip_stack ?? "dual",
    site: resource?.sites[0]?.id ?? null,
    traffic: trafficOf(resource?.filters ?? []),
  };
}

/** What the portal is told. A pool of devices has neither address nor site of its own. */
export function bodyOf(draft: Draft) {
  const address = draft.address.trim();
  const own = { name: draft.name.trim() || address, filters: filtersOf(draft.traffic) };
  if (draft.type === "static_device_pool") return own;
  return {
    ...own,
    type: draft.type,
    ...(draft.type === "internet" ? {} : { address }),
    address_description: draft.address_description.trim() || null,
    ...(draft.type === "dns" ? { ip_stack: draft.ip_stack } : {}),
    site_ids: draft.site ? [draft.site] : [],
  };
}
