import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { firstLoad } from "./firstLoad";

/** What a browser loads before the first page shows, compressed. The build fails if it becomes more. */
const BUDGET_BYTES = 300_000;
const COMPRESSIBLE = /\.(js|css|html|svg)$/;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Writes a `.gz` beside each file, and holds the first load to its budget. */
export function compressed(): Plugin {
  return {
    name: "culvert-compressed",
    apply: "build",
    writeBundle({ dir }) {
      if (!dir) return;
      const sizes = new Map<string, number>();
      for (const file of filesBelow(dir)) {
        if (!COMPRESSIBLE.test(file)) continue;
        const small = gzipSync(readFileSync(file), { level: 9 });
        writeFileSync(`${file}.gz`, small);
        sizes.set(file.slice(dir.length + 1), small.length);
      }
      const loaded = firstLoad(readFileSync(join(dir, "index.html"), "utf8"), "/admin/");
      const total = loaded.reduce((sum, name) => sum + (sizes.get(name) ?? 0), sizes.get("index.html") ?? 0);
      this.info(`first load: ${Math.ceil(total / 1000).toString()} kB compressed`);
      if (total > BUDGET_BYTES) {
        this.error(`first load is ${total.toString()} bytes compressed, more than ${BUDGET_BYTES.toString()}`);
      }
    },
  };
}
