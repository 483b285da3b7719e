import { test as base, expect, type Page } from "@playwright/test";
import { Portal } from "./portal";

export const EMAIL = "ana@example.com";
export const PASSWORD = "a very long password";

interface Api {
  /** What the page's own session may do, without clicking. */
  create: (path: string, body: object) => Promise<{ id: string }>;
}

interface Fixtures {
  /** Signed in, at the overview; fails for anything that the console or the content policy complains about. */
  page: Page;
  api: Api;
}

/** One portal for the tests of a file, with its administrator's session: attempts to sign in are limited. */
interface SetUp {
  portal: Portal;
  cookie: { name: string; value: string };
}

async function setUp(portal: Portal): Promise<SetUp> {
  const answer = await fetch(`${portal.url}/setup`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      setup: { code: portal.code, account_name: "Example Ltd", name: "Ana", email: EMAIL, password: PASSWORD },
    }),
  });
  expect(answer.status, await answer.text()).toBe(201);
  const [, name = "", value = ""] = /^([^=]+)=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "") ?? [];
  return { portal, cookie: { name, value } };
}

export const test = base.extend<Fixtures, { ready: SetUp }>({
  ready: [
    // Playwright reads from the pattern which fixtures a fixture needs.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const portal = await Portal.start();
      await use(await setUp(portal));
      portal.stop();
    },
    { scope: "worker" },
  ],

  baseURL: async ({ ready }, use) => {
    await use(ready.portal.url);
  },

  page: async ({ page, context, ready }, use) => {
    const complaints = watch(page);
    await context.addCookies([{ ...ready.cookie, url: ready.portal.url }]);
    await page.goto("/admin/");
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
    await use(page);
    expect(complaints).toEqual([]);
  },

  api: async ({ page }, use) => {
    const session = (await (await page.request.get("/session")).json()) as { data: { csrf_token: string } };
    await use({
      create: async (path, body) => {
        const answer = await page.request.post(path, {
          data: body,
          headers: { "X-CSRF-Token": session.data.csrf_token },
        });
        expect(answer.status(), await answer.text()).toBe(201);
        return ((await answer.json()) as { data: { id: string } }).data;
      },
    });
  },
});

/** Collects errors of scripts and of the content security policy; refusals by the portal are tests' own business. */
export function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("the server responded with a status of")) {
      complaints.push(message.text());
    }
  });
  return complaints;
}

export { expect };
