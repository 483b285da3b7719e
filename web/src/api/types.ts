/** What the portal's REST API speaks of, as it stands in JSON. Times are ISO 8601 in UTC. */

export interface Named {
  id: string;
  name: string;
}

export interface Account extends Named {
  slug: string;
  client_session_lifetime_secs: number;
  search_domain: string | null;
  upstream_dns: string[];
  upstream_doh: string[];
}

export type ActorType = "account_user" | "account_admin_user" | "service_account" | "api_client";

export interface Actor extends Named {
  type: ActorType;
  email: string | null;
  is_disabled: boolean;
  groups: Named[];
  clients: number;
}

export interface Session {
  actor: { id: string; name: string; email: string | null; type: ActorType };
  account: { id: string; name: string; slug: string };
  csrf_token: string;
  expires_at: string;
}

export interface Site extends Named {
  gateways_online: number;
  gateways: number;
  resources: number;
}

interface Seen {
  is_online: boolean;
  last_seen_at: string | null;
}

export interface Gateway extends Named, Seen {
  site: Named;
  ipv4: string;
  ipv6: string;
  last_seen_version: string | null;
  last_seen_remote_ip: string | null;
  is_revoked: boolean;
}

export interface Client extends Named, Seen {
  actor: Named;
  ipv4: string;
  ipv6: string;
  last_seen_version: string | null;
  last_seen_remote_ip: string | null;
  last_seen_user_agent: string | null;
  is_revoked: boolean;
  verified_at: string | null;
}

export interface Relay extends Seen {
  id: string;
  name: string | null;
  ipv4: string | null;
  ipv6: string | null;
  port: number;
}

export interface Group extends Named {
  actors: number;
}

export type Protocol = "tcp" | "udp" | "icmp";

export interface Filter {
  protocol: Protocol;
  ports: string[];
}

export type ResourceType = "dns" | "cidr" | "ip" | "internet" | "static_device_pool";
export type IpStack = "dual" | "ipv4_only" | "ipv6_only";

export interface Resource extends Named {
  type: ResourceType;
  address: string | null;
  address_description: string | null;
  ip_stack: IpStack | null;
  filters: Filter[];
  sites: Named[];
  /** Who may reach it. */
  groups: Named[];
  /** Of a pool. */
  devices: { actor_id: string; external_id: string }[];
}

export interface Condition {
  property: string;
  operator: string;
  values: string[];
}

export interface Policy {
  id: string;
  description: string | null;
  group: Named;
  resource: Named;
  is_disabled: boolean;
  conditions: Condition[] | null;
}

export interface Flow {
  id: string;
  client: Named;
  actor: Named;
  gateway: Named;
  resource: Named;
  policy_id: string;
  expires_at: string | null;
  client_remote_ip: string | null;
}

export interface Token {
  id: string;
  name: string | null;
  created_at: string;
  last_used_at: string | null;
  expires_at?: string | null;
}

/** A token as it is shown once, right after it was made. */
export interface NewToken {
  id: string;
  token: string;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface AuditEntry {
  id: number;
  at: string;
  actor: { name: string; email: string | null } | null;
  from: string | null;
  action: string;
  object: { type: string; id: string; name: string | null } | null;
  before: Json;
  after: Json;
}

export interface Reason {
  kind: string;
  text: string;
  policy_id?: string;
  group_id?: string;
  gateway_id?: string;
}

export interface Access {
  may: boolean;
  reasons: Reason[];
}

export interface Page<T> {
  data: T[];
  metadata: { count: number; limit: number; next_page: string | null; prev_page: string | null };
}

/** The lists that the API serves, by the last part of their path. */
export interface Kinds {
  sites: Site;
  gateways: Gateway;
  actors: Actor;
  groups: Group;
  resources: Resource;
  policies: Policy;
  clients: Client;
  relays: Relay;
  flows: Flow;
  audit: AuditEntry;
  relay_tokens: Token;
}

export type Kind = keyof Kinds;
