import { defineConfig } from "vitest/config";
import { compressed } from "./tools/compressed";

/** The portal that `npm run dev` passes requests to. */
const portal = process.env.CULVERT_PORTAL ?? "http://127.0.0.1:8081";
const API =
  /^\/(setup|session|account|sites|gateways|actors|groups|resources|policies|clients|relays|relay_tokens|flows|audit|access|events)\b/;

export default defineConfig({
  base: "/admin/",
  plugins: [compressed()],
  build: {
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    // Nothing is put into the page itself: the portal's content security policy forbids it.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    rollupOptions: {
      onwarn: (warning, show) => {
        // Libraries mark what runs in browsers only; here everything does.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") show(warning);
      },
    },
  },
  server: { proxy: { [API.source]: portal } },
  test: { include: ["src/**/*.test.ts", "tools/**/*.test.ts"] },
});
