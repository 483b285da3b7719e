import { useSyncExternalStore } from "react";
import { Icon } from "./Icon";

const SHOWN_MS = 4000;

interface Notice {
  key: number;
  words: string;
  isBad: boolean;
}

let notices: readonly Notice[] = [];
let nextKey = 0;
const listeners = new Set<() => void>();

function change(next: readonly Notice[]): void {
  notices = next;
  listeners.forEach((listener) => {
    listener();
  });
}

/** Says for a moment, at the edge of the screen, how something went. */
export function notify(words: string, isBad = false): void {
  const key = nextKey++;
  change([...notices, { key, words, isBad }]);
  window.setTimeout(
    () => {
      change(notices.filter((notice) => notice.key !== key));
    },
    isBad ? 3 * SHOWN_MS : SHOWN_MS,
  );
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Notices() {
  const shown = useSyncExternalStore(subscribe, () => notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {shown.map(({ key, words, isBad }) => (
        <div key={key} className={isBad ? "notice bad" : "notice"}>
          <Icon name={isBad ? "warning" : "check"} /> {words}
        </div>
      ))}
    </div>
  );
}
