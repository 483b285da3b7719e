import { Link } from "wouter";
import type { Policy } from "../api/types";
import { text } from "../text";
import { Status } from "./facts";
import { ProblemAlert } from "./ProblemAlert";
import { Section } from "./Section";

interface Props {
  title: string;
  none: string;
  policies: readonly Policy[] | undefined;
  problem: unknown;
  nameOf: (policy: Policy) => string;
  /** Where a policy is made, with this group or resource chosen. */
  addPath: string;
}

/** The policies of one group or one resource. */
export function PolicyRows({ title, none, policies, problem, nameOf, addPath }: Props) {
  return (
    <Section
      title={title}
      action={
        <Link href={addPath} className="link small">
          {text.policies.add}
        </Link>
      }
    >
      <ProblemAlert problem={problem} />
      {policies?.length === 0 && <p className="dimmed">{none}</p>}
      <ul className="rows">
        {policies?.map((policy) => (
          <li key={policy.id}>
            <Link href={`/policies/${policy.id}`} className="link">
              {nameOf(policy)}
            </Link>
            <Status
              isGood={!policy.is_disabled}
              words={policy.is_disabled ? text.policies.disabled : text.policies.enabled}
            />
          </li>
        ))}
      </ul>
    </Section>
  );
}
