import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = join(process.env.CULVERT_BUILD_DIR ?? join(ROOT, "build/release"), "bin/culvert-portal");
const START_MS = 30_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A portal of its own, with a new database and the pages that were built last. */
export class Portal {
  private constructor(
    readonly url: string,
    readonly code: string,
    private readonly process: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(): Promise<Portal> {
    const folder = mkdtempSync(join(tmpdir(), "culvert-pages-"));
    const listen = `127.0.0.1:${(await freePort()).toString()}`;
    const ops = `127.0.0.1:${(await freePort()).toString()}`;
    const database = `sqlite:${join(folder, "portal.db")}`;
    const process = spawn(
      BINARY,
      [
        ...["--database", database, "serve", "--api-listen", listen, "--ops-listen", ops],
        ...["--web-root", join(ROOT, "web/dist")],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const code = await codeOf(process);
    return new Portal(`http://${listen}`, code, process, folder);
  }

  stop(): void {
    this.process.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The code of the first run, which the portal logs at its start. */
function codeOf(process: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let log = "";
    const timer = setTimeout(() => {
      failed(new Error(`the portal did not start:\n${log}`));
    }, START_MS);
    const read = (chunk: Buffer) => {
      log += chunk.toString();
      const [, code] = /code="?([a-z2-7-]+)/.exec(log) ?? [];
      if (!code) return;
      clearTimeout(timer);
      found(code);
    };
    process.stdout?.on("data", read);
    process.stderr?.on("data", read);
    process.on("error", failed);
    process.on("exit", () => {
      failed(new Error(`the portal ended:\n${log}`));
    });
  });
}
