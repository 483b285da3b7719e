import { useState } from "react";
import { Problem } from "../api/problem";

/** A form's values, and what the portal said about them. */
export function useForm<T extends object>(initial: T) {
  const [values, setValues] = useState(initial);
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const fields = problem instanceof Problem ? problem.fields : {};

  function set<K extends keyof T>(field: K, value: T[K]): void {
    setValues((before) => ({ ...before, [field]: value }));
  }

  return {
    values,
    set,
    isBusy,
    problem,
    setProblem,
    /** What is wrong with a field, by the names that the API may give it. */
    error(...names: string[]): string | undefined {
      const found = names.flatMap((name) => fields[name] ?? []);
      return found.length > 0 ? found.join(", ") : undefined;
    },
    /** For a text input. */
    input<K extends keyof T & string>(field: K) {
      const found = fields[field];
      return {
        value: values[field] as string,
        onChange: (event: { currentTarget: { value: string } }) => {
          set(field, event.currentTarget.value as T[K]);
        },
        error: found ? found.join(", ") : undefined,
      };
    },
    /** Runs `write`, keeping its refusal for the form to show. */
    async submit(write: () => Promise<unknown>): Promise<void> {
      setBusy(true);
      setProblem(null);
      try {
        await write();
      } catch (refusal) {
        setProblem(refusal);
      } finally {
        setBusy(false);
      }
    },
  };
}
