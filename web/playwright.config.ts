import { defineConfig } from "@playwright/test";

/** Debian's Chromium, against the real portal that each worker starts for itself (pages-tests/portal.ts). */
export default defineConfig({
  testDir: "pages-tests",
  outputDir: "test-results",
  fullyParallel: false,
  workers: 1,
  // The machine may be busy; a test that needs longer is wrong, not slow.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath: process.env.CULVERT_CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    },
    viewport: { width: 1280, height: 800 },
    screenshot: "only-on-failure",
  },
});
