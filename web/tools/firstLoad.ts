/** The files that a page's HTML makes the browser load at once, without `base`. */
export function firstLoad(html: string, base: string): string[] {
  return [...html.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, url]) => url ?? "")
    .filter((url) => url.startsWith(base))
    .map((url) => url.slice(base.length));
}
