import { expect, test } from "@playwright/test";
import { watch } from "./administrator";
import { Portal } from "./portal";

test("from the set-up code to the command for a device", async ({ page }) => {
  const complaints = watch(page);
  const portal = await Portal.start();
  try {
    await page.goto(portal.url);
    await page.getByLabel("Set-up code").fill("wrong-code");
    await page.getByLabel("Name of your organisation").fill("Example Ltd");
    await page.getByLabel("Your name").fill("Ana");
    await page.getByLabel("E-mail address").fill("ana@example.com");
    await page.getByLabel("Password", { exact: false }).first().fill("a very long password");
    await page.getByRole("button", { name: "Create and continue" }).click();
    await expect(page.getByRole("alert")).toBeVisible();

    await page.getByLabel("Set-up code").fill(portal.code);
    await page.getByRole("button", { name: "Create and continue" }).click();

    await expect(page.getByRole("heading", { name: "First steps" })).toBeVisible();
    await page.getByLabel("Name of a new site").fill("Headquarters");
    await page.getByRole("button", { name: "Create site" }).click();
    await page.getByRole("button", { name: "Show the command" }).click();
    await expect(page.getByLabel("Command")).toContainText("culvert-gateway");
    await expect(page.getByText("Waiting for connection…")).toBeVisible();
    await page.getByRole("button", { name: "Next" }).click();

    await page.getByRole("textbox", { name: "Address" }).first().fill("wiki.example.internal");
    await page.getByRole("button", { name: "Add resource" }).click();
    await page.getByRole("button", { name: "Create the group Everyone" }).click();
    await page.getByRole("combobox", { name: "Add a member" }).fill("An");
    await page.getByRole("option", { name: /Ana/ }).click();
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await expect(page.getByRole("link", { name: "Ana" })).toBeVisible();
    await page.getByRole("button", { name: "Allow it" }).click();

    await page.getByRole("combobox", { name: "Whose device is it?" }).fill("An");
    await page.getByRole("option", { name: /Ana/ }).click();
    await page.getByRole("button", { name: "New token" }).click();
    await expect(page.getByLabel("Command")).toContainText("culvert-client");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByRole("link", { name: /See why/ }).click();

    await expect(page.getByRole("heading", { name: /Ana cannot reach wiki.example.internal/ })).toBeVisible();
    await expect(page.getByText("No gateway of the resource's sites is online.")).toBeVisible();
    expect(complaints).toEqual([]);
  } finally {
    portal.stop();
  }
});
