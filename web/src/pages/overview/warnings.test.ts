import { describe, expect, it } from "vitest";
import type { Relay, Site } from "../../api/types";
import { warnings } from "./warnings";

const site: Site = { id: "s", name: "hq", gateways: 2, gateways_online: 1, resources: 3 };
const relay: Relay = {
  id: "r",
  name: "",
  ipv4: "192.0.2.1",
  ipv6: null,
  port: 3478,
  is_online: true,
  last_seen_at: null,
};
const hrefs = (known: Parameters<typeof warnings>[0]) => warnings(known).map(({ href }) => href);

describe("the overview warns", () => {
  it("of nothing where all is well", () => {
    expect(hrefs({ sites: [site], relays: [relay], policies: 1 })).toEqual([]);
  });

  it("of a site that cannot be reached, unless nobody needs to", () => {
    const away = { ...site, gateways_online: 0 };
    const unused = { ...site, id: "u", gateways: 0, gateways_online: 0, resources: 0 };
    expect(hrefs({ sites: [away, unused], relays: [relay], policies: 1 })).toEqual(["/sites/s/deploy"]);
  });

  it("of relays that are all away", () => {
    const away = { ...relay, is_online: false };
    expect(hrefs({ sites: [site], relays: [away], policies: 1 })).toEqual(["/relays/new"]);
  });

  it("of everything that a new portal lacks", () => {
    expect(hrefs({ sites: [], relays: [], policies: 0 })).toEqual(["/sites/new", "/relays/new", "/policies/new"]);
  });
});
