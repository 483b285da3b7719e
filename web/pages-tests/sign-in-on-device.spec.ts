import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type axe from "axe-core";
import { expect, test, watch } from "./administrator";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "correct horse battery";

/** What an app remembers between its button and its link. */
function app(as = "gui-client") {
  const [state, nonce] = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex")];
  return { state, nonce, path: `/default?as=${as}&state=${state}&nonce=${nonce}` };
}

/** The status that a device gets which connects with that token: 101 if it is let in. */
function connect(portal: string, token: string): Promise<number> {
  const query = new URLSearchParams({
    token,
    vsn: "1.0.0",
    external_id: randomBytes(8).toString("hex"),
    public_key: randomBytes(32).toString("base64"),
    name: "laptop",
  });
  return new Promise((answered, failed) => {
    const request = get(`${portal}/client/websocket?${query.toString()}`, {
      headers: {
        "User-Agent": "Debian/12 headless-client/1.5.4",
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      },
    });
    request.on("upgrade", (answer, socket) => {
      socket.destroy();
      answered(answer.statusCode ?? 0);
    });
    request.on("response", (answer) => {
      answer.resume();
      answered(answer.statusCode ?? 0);
    });
    request.on("error", failed);
  });
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = await page.evaluate(async () => {
    const { axe: runner } = window as unknown as { axe: typeof axe };
    return runner.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
  });
  return results.violations.flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")}`));
}

async function fill(page: Page, email: string, password: string) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("a person signs in with a password that was set in the pages, and the app is let in", async ({
  page,
  ready,
  browser,
}) => {
  await page.goto("/admin/actors/new");
  await page.getByLabel("Name").fill("Ute");
  await page.getByLabel("E-mail address").fill("ute@example.com");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("The password is set.")).toBeVisible();

  // Another browser: neither cookies nor scripts of the administrator's.
  const context = await browser.newContext({ javaScriptEnabled: false });
  const phone = await context.newPage();
  const asked = app();
  const followed: string[] = [];
  phone.on("response", (response) => {
    const { location } = response.headers();
    if (location) followed.push(location);
  });
  await phone.goto(ready.portal.url + asked.path);
  await fill(phone, "ute@example.com", "not the password");
  await expect(phone.getByRole("alert")).toHaveText("E-mail address or password are wrong.");
  await expect(phone.getByLabel("E-mail address")).toHaveValue("ute@example.com");
  await fill(phone, "ute@example.com", PASSWORD);
  await expect.poll(() => followed.find((link) => link.startsWith("firezone-fd0020211111:")) ?? "").not.toBe("");
  await expect(phone.getByRole("heading", { name: "You are signed in" })).toBeVisible();

  const link = new URL(followed.find((one) => one.startsWith("firezone-fd0020211111:")) ?? "");
  expect(link.host).toBe("handle_client_sign_in_callback");
  expect(link.searchParams.get("state")).toBe(asked.state);
  expect(link.searchParams.get("actor_name")).toBe("Ute");
  const fragment = link.searchParams.get("fragment") ?? "";
  expect(await connect(ready.portal.url, asked.nonce + fragment)).toBe(101);
  expect(await connect(ready.portal.url, fragment)).toBe(401);

  await phone.goto(ready.portal.url + asked.path);
  await expect(phone.getByRole("heading", { name: "This page has served already" })).toBeVisible();
  await context.close();
});

test("the pages are readable by everybody and block nothing of their own", async ({ ready, browser }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    const context = await browser.newContext({ colorScheme, bypassCSP: false, viewport: { width: 360, height: 640 } });
    const page = await context.newPage();
    const complaints = watch(page);
    await page.goto(ready.portal.url + app().path);
    await expect(page.getByRole("heading", { name: "Sign in to Example Ltd" })).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await fill(page, "nobody@example.com", "not a password");
    await expect(page.getByRole("alert")).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.goto(`${ready.portal.url}/default?as=client`);
    await expect(page.getByRole("heading", { name: "This address is incomplete" })).toBeVisible();
    expect(await violations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  }
});
