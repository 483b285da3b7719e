import { useWrite } from "./queries";
import type { NewToken } from "./types";

/** Makes a token that is shown once; it lives only as long as the component. */
export function useNewToken(path: string) {
  const write = useWrite<NewToken>();
  return {
    made: write.data ?? null,
    problem: write.error,
    isBusy: write.isPending,
    make: (body?: unknown) => {
      // Clicks bring their event along.
      const token = body !== null && typeof body === "object" && "token" in body ? body : undefined;
      write.mutate({ method: "POST", path, ...(token ? { body: token } : {}) });
    },
  };
}
