import { useWrite } from "../api/queries";
import { text } from "../text";
import { confirm, type Question } from "./confirm";
import { notify } from "./notice";
import { wordsFor } from "./ProblemAlert";

/** Asks, writes, and says how it went; true if it was done. */
export function useConfirmedWrite() {
  const write = useWrite();
  return async (
    question: Omit<Question, "action"> & { action?: string },
    request: { method: "DELETE" | "PUT" | "PATCH"; path: string; body?: unknown; etag?: string | null },
    done: string = text.common.deleted,
  ): Promise<boolean> => {
    const yes = await confirm({ action: text.common.remove, isDangerous: true, ...question });
    if (!yes) return false;
    try {
      await write.mutateAsync(request);
      notify(done);
      return true;
    } catch (problem) {
      notify(wordsFor(problem), true);
      return false;
    }
  };
}
