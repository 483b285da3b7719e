import { Link } from "wouter";
import type { Access, Actor, Flow, Reason, Resource } from "../../api/types";
import { ObjectLink, When } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { Section } from "../../parts/Section";
import { text } from "../../text";

function links(reason: Reason): { href: string; words: string }[] {
  return [
    reason.policy_id && { href: `/policies/${reason.policy_id}`, words: text.access.policy },
    reason.group_id && { href: `/groups/${reason.group_id}`, words: text.access.group },
    reason.gateway_id && { href: `/gateways/${reason.gateway_id}`, words: text.access.gateway },
  ].filter((link) => typeof link === "object");
}

interface Props {
  access: Access;
  actor: Actor;
  resource: Resource;
  flows: readonly Flow[];
}

export function Verdict({ access, actor, resource, flows }: Props) {
  const words = access.may ? text.access.may : text.access.mayNot;
  return (
    <div className={access.may ? "sheet verdict may" : "sheet verdict"} role="status">
      <h2>
        <Icon name={access.may ? "check" : "cross"} size={24} />
        {words(actor.name, resource.name)}
      </h2>
      <Section title={access.may ? text.access.why : text.access.whyNot}>
        <ul className="reasons">
          {access.reasons.map((reason, index) => (
            <li key={index}>
              <span>{reason.text}</span>
              {links(reason).map(({ href, words: label }) => (
                <Link key={href} href={href} className="link small">
                  {label}
                </Link>
              ))}
            </li>
          ))}
        </ul>
        {!access.may && (
          <Link href={`/policies/new?resource=${resource.id}`} className="link">
            {text.access.addPolicy}
          </Link>
        )}
      </Section>
      <Section title={text.access.recent}>
        {flows.length === 0 && <p className="dimmed">{text.access.noRecent}</p>}
        <ul className="rows">
          {flows.map((flow) => (
            <li key={flow.id}>
              <ObjectLink kind="clients" object={flow.client} />
              <span className="dimmed small">
                {text.flows.gateway} {flow.gateway.name}, {text.flows.ends} <When at={flow.expires_at} />
              </span>
            </li>
          ))}
        </ul>
      </Section>
    </div>
  );
}
