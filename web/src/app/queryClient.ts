import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { isLive, POLL_MS } from "../api/live";
import { Problem } from "../api/problem";
import { takeSession } from "../api/queries";

const TRIES = 2;

/** A refusal stays one; only silence and the portal's own trouble are worth another try. */
function isWorthAnotherTry(failures: number, problem: Error): boolean {
  return failures < TRIES && problem instanceof Problem && (problem.status === 0 || problem.status >= 500);
}

function onError(problem: Error): void {
  if (problem instanceof Problem && problem.code === "not_signed_in") takeSession(queryClient, null);
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      retry: isWorthAnotherTry,
      staleTime: 2000,
      refetchInterval: ({ queryKey }) =>
        isLive() || queryKey[0] === "session" || queryKey[0] === "setup" ? false : POLL_MS,
    },
  },
});
