import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { EVERYTHING, kindOf, staleAfter } from "./changes";

/** Between polls while the portal cannot tell us of changes. */
export const POLL_MS = 10_000;
/** Changes that come together are asked for together. */
const GATHER_MS = 150;

let connected = false;
const listeners = new Set<() => void>();

function setConnected(now: boolean): void {
  if (connected === now) return;
  connected = now;
  listeners.forEach((listener) => {
    listener();
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const isLive = (): boolean => connected;

export const useIsLive = (): boolean => useSyncExternalStore(subscribe, isLive);

/** Listens to the portal's changes as long as the component is shown. Without them lists are polled. */
export function useLive(client: QueryClient): void {
  useEffect(() => {
    const stale = new Set<string>();
    let source: EventSource | undefined;
    let gathering: number | undefined;
    let reopening: number | undefined;

    function refresh(): void {
      gathering = undefined;
      const kinds = new Set(stale);
      stale.clear();
      void client.invalidateQueries({
        predicate: ({ queryKey }) => kinds.has(EVERYTHING) || kinds.has(String(queryKey[0])),
      });
    }

    function open(): void {
      const opened = new EventSource("/events");
      source = opened;
      opened.addEventListener("open", () => {
        // What changed while nobody told us.
        void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
        setConnected(true);
      });
      opened.addEventListener("error", () => {
        setConnected(false);
        // The browser tries again by itself, but not after a refusal.
        if (opened.readyState === EventSource.CLOSED) reopening = window.setTimeout(open, 3 * POLL_MS);
      });
      opened.addEventListener("change", (event: MessageEvent<string>) => {
        const kind = kindOf(event.data);
        if (kind === null) return;
        staleAfter(kind).forEach((each) => stale.add(each));
        gathering ??= window.setTimeout(refresh, GATHER_MS);
      });
    }

    open();
    return () => {
      source?.close();
      window.clearTimeout(gathering);
      window.clearTimeout(reopening);
      setConnected(false);
    };
  }, [client]);
}
