/** What a machine is told to run. Values come from the portal and the browser's own address. */
export interface Program {
  binary: "culvert-gateway" | "culvert-client" | "culvert-relay";
  environment: Readonly<Record<string, string>>;
}

/** Where devices reach the portal whose page this is. */
export function portalUrl(location: { protocol: string; host: string }): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`;
}

const PLAIN = /^[A-Za-z0-9_./:@%+,=[\]-]+$/;

/** One word for a POSIX shell, whatever is in it. */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function assignments(program: Program): string[] {
  return Object.entries(program.environment).map(([key, value]) => quoted(`${key}=${value}`));
}

export function runNow(program: Program): string {
  return ["sudo env", ...assignments(program), program.binary].join(" ");
}

/** As a service that systemd keeps running until the machine is restarted. */
export function runAsService(program: Program): string {
  return [
    `sudo systemd-run --unit=${program.binary} --property=Restart=always --property=RestartSec=5`,
    ...assignments(program).map((assignment) => `--setenv=${assignment}`),
    program.binary,
  ].join(" ");
}
