import type { Relay, Site } from "../../api/types";
import { text } from "../../text";

export interface Warning {
  words: string;
  /** Where it can be mended. */
  href: string;
}

interface Known {
  sites: readonly Site[];
  relays: readonly Relay[];
  policies: number;
}

/** What keeps people from reaching things, or soon may. */
export function warnings({ sites, relays, policies }: Known): Warning[] {
  const found: Warning[] = [];
  if (sites.length === 0) found.push({ words: text.overview.noSite, href: "/sites/new" });
  for (const site of sites) {
    // Nobody misses a gateway where there is nothing to reach.
    if (site.gateways_online === 0 && (site.resources > 0 || site.gateways > 0)) {
      found.push({ words: text.overview.noGateway(site.name), href: `/sites/${site.id}/deploy` });
    }
  }
  if (!relays.some((relay) => relay.is_online)) found.push({ words: text.overview.noRelay, href: "/relays/new" });
  if (policies === 0) found.push({ words: text.overview.noPolicy, href: "/policies/new" });
  return found;
}
