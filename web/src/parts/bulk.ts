import { text } from "../text";
import { notify } from "./notice";
import { wordsFor } from "./ProblemAlert";

/** Does the same to many, one after the other, and says how it went; those that fail do not hold up the others. */
export async function forEachOf<T>(rows: readonly T[], write: (row: T) => Promise<unknown>, done: string) {
  const problems: unknown[] = [];
  for (const row of rows) {
    try {
      await write(row);
    } catch (problem) {
      problems.push(problem);
    }
  }
  if (problems.length > 0) {
    notify(text.problem.someFailed(problems.length, rows.length) + wordsFor(problems[0]), true);
  } else {
    notify(done);
  }
}
