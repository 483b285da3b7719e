import { useList } from "../api/queries";
import { text } from "../text";
import { ObjectLink, When } from "./facts";
import { ProblemAlert } from "./ProblemAlert";
import { Section } from "./Section";

const SHOWN = 10;

interface Props {
  query: { client_id?: string; actor_id?: string; gateway_id?: string; resource_id?: string; policy_id?: string };
  /** The object whose drawer this is goes without saying. */
  without: "client" | "gateway" | "resource" | "none";
}

/** The newest accesses that have to do with one object. */
export function RecentFlows({ query, without }: Props) {
  const flows = useList("flows", { ...query, limit: SHOWN });
  return (
    <Section title={text.clients.recent}>
      <ProblemAlert problem={flows.error} />
      {flows.data?.data.length === 0 && <p className="dimmed">{text.overview.noRecent}</p>}
      <ul className="rows">
        {flows.data?.data.map((flow) => (
          <li key={flow.id}>
            <span>
              {without !== "client" && <ObjectLink kind="clients" object={flow.client} />}
              {without !== "client" && without !== "resource" && " → "}
              {without !== "resource" && <ObjectLink kind="resources" object={flow.resource} />}
              {without !== "gateway" && (
                <span className="dimmed">
                  {" "}
                  ({text.flows.gateway} {flow.gateway.name})
                </span>
              )}
            </span>
            <span className="dimmed small">
              {flow.expires_at && (
                <>
                  {" "}
                  {text.flows.ends} <When at={flow.expires_at} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
