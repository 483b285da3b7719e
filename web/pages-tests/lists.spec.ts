import { EMAIL, expect, PASSWORD, test } from "./administrator";

test("a site is made, renamed and deleted", async ({ page }) => {
  await page.getByRole("link", { name: "Sites" }).first().click();
  await page.getByRole("button", { name: "Add site" }).click();
  await page.getByLabel("Name").fill("Paris");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("dialog")).toContainText("Paris");

  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Name").fill("Lyon");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("dialog")).toContainText("Lyon");

  await page.getByRole("button", { name: "Delete" }).click();
  const confirmation = page.getByRole("dialog", { name: "Delete site Lyon?" });
  await expect(confirmation).toContainText("tokens are worthless");
  await confirmation.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("link", { name: "Lyon" })).toBeHidden();
});

test("what the portal refuses is said beside the field", async ({ page, api }) => {
  await api.create("/sites", { site: { name: "Rome" } });
  await page.goto("/admin/sites/new");
  await page.getByLabel("Name").fill("Rome");
  await page.getByRole("button", { name: "Create" }).click();

  await expect(page.getByText("has already been taken")).toBeVisible();
  await expect(page.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
});

test("changes of others appear by themselves", async ({ page, api }) => {
  await page.goto("/admin/groups");
  await expect(page.getByRole("img", { name: /Live/ })).toBeVisible();

  await api.create("/groups", { group: { name: "Night shift" } });

  await expect(page.getByRole("link", { name: "Night shift" })).toBeVisible();
});

test("a filter stands in the URL and survives a reload", async ({ page, api }) => {
  for (const name of ["ant", "antelope", "bee"]) await api.create("/groups", { group: { name } });
  await page.goto("/admin/groups");
  await page.getByRole("searchbox").fill("ant");
  await expect(page).toHaveURL(/q=ant/);
  await page.reload();

  await expect(page.getByRole("link", { name: "antelope" })).toBeVisible();
  await expect(page.getByRole("link", { name: "bee" })).toBeHidden();
});

test("a long list has pages", async ({ page, api }) => {
  for (let number = 10; number < 62; ++number) {
    await api.create("/actors", { actor: { type: "service_account", name: `robot ${number.toString()}` } });
  }
  await page.goto("/admin/actors?q=robot");
  await expect(page.getByText("50 of 52")).toBeVisible();
  await page.getByRole("button", { name: "Next page" }).click();

  await expect(page.getByText("2 of 52")).toBeVisible();
  await page.getByRole("button", { name: "Previous page" }).click();
  await expect(page.getByText("50 of 52")).toBeVisible();
});

test("several are deleted at once, after asking", async ({ page, api }) => {
  for (const name of ["old one", "old two"]) await api.create("/actors", { actor: { type: "service_account", name } });
  await page.goto("/admin/actors?q=old");
  await page.getByRole("checkbox", { name: "Select all on this page" }).check();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();

  await expect(page.getByText("Nothing matches these filters.")).toBeVisible();
});

test("the search finds an object by keyboard alone", async ({ page, api }) => {
  await api.create("/sites", { site: { name: "Reykjavik" } });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("reykja");
  await expect(page.getByRole("option", { name: /Reykjavik/ })).toBeVisible();
  await page.keyboard.press("Enter");

  await expect(page.getByRole("dialog")).toContainText("Reykjavik");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("the audit log shows what an edit changed", async ({ page, api }) => {
  const { id } = await api.create("/sites", { site: { name: "Before" } });
  await page.goto(`/admin/sites/${id}/edit`);
  await page.getByLabel("Name").fill("After");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("dialog")).toContainText("After");
  await page.goto("/admin/audit");
  await page.getByRole("link", { name: "changed" }).first().click();

  await expect(page.getByRole("dialog").locator("del")).toHaveText("Before");
  await expect(page.getByRole("dialog").locator("ins")).toHaveText("After");
});

test("who signs in comes to the page that was asked for, and out again", async ({ page, context }) => {
  await context.clearCookies();
  await page.goto("/admin/relays");
  await page.getByLabel("E-mail address").fill(EMAIL);
  await page.getByLabel("Password", { exact: true }).fill("wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("wrong");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Relays", exact: true })).toBeVisible();

  await page.getByRole("button", { name: "Ana" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();

  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});
