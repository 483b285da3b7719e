import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type axe from "axe-core";
import { expect, test } from "./administrator";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds against WCAG 2.1 AA, as "rule: element". */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = await page.evaluate(async () => {
    const { axe: runner } = window as unknown as { axe: typeof axe };
    return runner.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
  });
  return results.violations.flatMap((found) =>
    found.nodes.map((node) => `${found.id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`),
  );
}

const PLACES = [
  "/",
  "/sites",
  "/gateways",
  "/resources",
  "/resources/new",
  "/policies",
  "/actors",
  "/actors/new",
  "/groups",
  "/clients",
  "/relays",
  "/relays/new",
  "/access",
  "/flows",
  "/audit",
  "/settings",
  "/first-steps",
  "/first-steps?step=policy",
];

for (const colorScheme of ["light", "dark"] as const) {
  test(`every page is accessible, ${colorScheme}`, async ({ page, api }) => {
    const site = await api.create("/sites", { site: { name: `site ${colorScheme}` } });
    const group = await api.create("/groups", { group: { name: `group ${colorScheme}` } });
    const resource = await api.create("/resources", {
      resource: { name: `web ${colorScheme}`, type: "dns", address: "web.example.internal", site_ids: [site.id] },
    });
    const policy = await api.create("/policies", { policy: { group_id: group.id, resource_id: resource.id } });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const places = [...PLACES, `/sites/${site.id}`, `/resources/${resource.id}`, `/policies/${policy.id}`];

    const found: string[] = [];
    for (const place of places) {
      await page.goto(`/admin${place}`);
      await expect(page.getByRole("heading").first()).toBeVisible();
      found.push(...(await violations(page)).map((violation) => `${place}: ${violation}`));
    }

    expect(found).toEqual([]);
  });
}

test("nothing is wider than a phone", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const wide: string[] = [];
  for (const place of PLACES) {
    await page.goto(`/admin${place}`);
    await expect(page.getByRole("heading").first()).toBeVisible();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 360) wide.push(`${place}: ${width.toString()}`);
  }
  expect(wide).toEqual([]);
});

test("pages are reached on a phone by the menu", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByRole("button", { name: "Open menu" }).click();
  await page.getByRole("dialog").getByRole("link", { name: "Devices" }).click();

  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
});
