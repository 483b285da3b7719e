import { Alert } from "@mantine/core";
import { Problem } from "../api/problem";
import { text } from "../text";
import { Icon } from "./Icon";

/** In a person's words. What the portal says in detail is better than what we say for its code. */
export function wordsFor(problem: unknown): string {
  if (!(problem instanceof Problem)) return problem instanceof Error ? problem.message : text.problem.other;
  switch (problem.code) {
    case "too_many_requests":
      return problem.retryAfter === null ? text.problem.tooManyNow : text.problem.tooMany(problem.retryAfter);
    case "unreachable":
    case "not_signed_in":
    case "invalid_credentials":
    case "csrf":
    case "precondition_failed":
    case "validation_failed":
    case "not_found":
      return text.problem[problem.code];
    case "conflict":
    case "forbidden":
      return problem.detail || text.problem[problem.code];
    default:
      return problem.detail || problem.title || text.problem.other;
  }
}

interface Props {
  problem: unknown;
  /** Fields that say themselves what is wrong with them. */
  shown?: readonly string[];
}

/** Says why something did not work, with complaints about fields that the form does not show. */
export function ProblemAlert({ problem, shown = [] }: Props) {
  if (problem === null || problem === undefined) return null;
  const others =
    problem instanceof Problem ? Object.entries(problem.fields).filter(([field]) => !shown.includes(field)) : [];
  return (
    <Alert color="red" variant="light" icon={<Icon name="warning" />} role="alert" mb="md">
      {wordsFor(problem)}
      {others.map(([field, complaints]) => (
        <div key={field}>{text.problem.atField(field, complaints.join(", "))}</div>
      ))}
    </Alert>
  );
}
