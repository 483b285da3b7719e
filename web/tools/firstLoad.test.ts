import { expect, it } from "vitest";
import { firstLoad } from "./firstLoad";

it("the first load is scripts, what they preload, and styles", () => {
  const html = `<link rel="icon" href="/admin/icon.svg"><script type="module" src="/admin/assets/index.js"></script>
    <link rel="modulepreload" href="/admin/assets/shared.js"><link rel="stylesheet" href="/admin/assets/index.css">
    <a href="https://example.com/">elsewhere</a>`;

  expect(firstLoad(html, "/admin/")).toEqual(["icon.svg", "assets/index.js", "assets/shared.js", "assets/index.css"]);
});
