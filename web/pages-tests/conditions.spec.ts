import { expect, test } from "./administrator";

test("a policy counts on conditions, which are told in words", async ({ page, api }) => {
  const site = await api.create("/sites", { site: { name: "hq" } });
  await api.create("/groups", { group: { name: "Engineers" } });
  await api.create("/resources", {
    resource: { name: "wiki", type: "dns", address: "wiki.example", site_ids: [site.id] },
  });
  await page.goto("/admin/policies/new");
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("combobox", { name: "Group" }).click();
  await page.getByRole("option", { name: "Engineers" }).click();
  await drawer.getByRole("combobox", { name: "Resource" }).click();
  await page.getByRole("option", { name: "wiki" }).click();
  await page.getByText("Only from", { exact: true }).click();
  await page.getByLabel("Addresses and networks").fill("the office");
  await page.getByLabel("Only verified devices").check();
  await page.getByLabel("Only at certain times").check();
  await page.getByLabel("Times on Monday").fill("8-12, 13-17:30");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "the office" })).toBeVisible();

  await page.getByLabel("Addresses and networks").fill("203.0.113.0/24\n2001:db8::7");
  await page.screenshot({ path: test.info().outputPath("conditions.png"), fullPage: true });
  await page.getByRole("button", { name: "Create" }).click();
  await expect(drawer).toContainText("Public address is in 203.0.113.0/24, 2001:db8::7/128");
  await expect(drawer).toContainText("The device must be verified");
  await expect(drawer).toContainText("Monday 08:00-12:00, 13:00-17:30");

  await drawer.getByRole("button", { name: "Edit" }).click();
  await expect(page.getByLabel("Times on Monday")).toHaveValue("08:00-12:00, 13:00-17:30");
  await page.getByText("From anywhere", { exact: true }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(drawer).toContainText("The device must be verified");
  await expect(drawer).not.toContainText("Public address");
});
