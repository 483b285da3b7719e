import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import type { IconName } from "../parts/Icon";
import { text } from "../text";

export type PageName =
  | "overview"
  | "sites"
  | "gateways"
  | "resources"
  | "policies"
  | "actors"
  | "groups"
  | "clients"
  | "access"
  | "flows"
  | "relays"
  | "audit"
  | "settings";

/** Each page is a file of its own, loaded when it is first opened. */
export const PAGES: Readonly<Record<PageName, LazyExoticComponent<ComponentType>>> = {
  overview: lazy(() => import("../pages/overview/OverviewPage")),
  sites: lazy(() => import("../pages/sites/SitesPage")),
  gateways: lazy(() => import("../pages/gateways/GatewaysPage")),
  resources: lazy(() => import("../pages/resources/ResourcesPage")),
  policies: lazy(() => import("../pages/policies/PoliciesPage")),
  actors: lazy(() => import("../pages/actors/ActorsPage")),
  groups: lazy(() => import("../pages/groups/GroupsPage")),
  clients: lazy(() => import("../pages/clients/ClientsPage")),
  access: lazy(() => import("../pages/access/AccessPage")),
  flows: lazy(() => import("../pages/flows/FlowsPage")),
  relays: lazy(() => import("../pages/relays/RelaysPage")),
  audit: lazy(() => import("../pages/audit/AuditPage")),
  settings: lazy(() => import("../pages/settings/SettingsPage")),
};

export const FirstStepsPage = lazy(() => import("../pages/first-steps/FirstStepsPage"));

export const iconOf = (page: PageName): IconName => page;

/** The order of the navigation. */
export const NAVIGATION: readonly { title: string | null; pages: readonly PageName[] }[] = [
  { title: null, pages: ["overview"] },
  { title: text.nav.structure, pages: ["sites", "gateways", "resources", "relays"] },
  { title: text.nav.people, pages: ["actors", "groups", "clients", "policies"] },
  { title: text.nav.watch, pages: ["access", "flows", "audit"] },
  { title: null, pages: ["settings"] },
];

export const pathOf = (page: PageName): string => (page === "overview" ? "/" : `/${page}`);

export function pageOf(name: string): PageName | null {
  if (name === "") return "overview";
  return name in PAGES && name !== "overview" ? (name as PageName) : null;
}
