import { useList } from "../../api/queries";
import { ObjectLink } from "../../parts/facts";
import { DeviceStatus } from "../../parts/DeviceStatus";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Section } from "../../parts/Section";
import { text } from "../../text";

export function ActorClients({ id }: { id: string }) {
  const clients = useList("clients", { actor_id: id, limit: 100 });
  return (
    <Section title={text.actors.clients}>
      <ProblemAlert problem={clients.error} />
      {clients.data?.data.length === 0 && <p className="dimmed">{text.common.none}</p>}
      <ul className="rows">
        {clients.data?.data.map((client) => (
          <li key={client.id}>
            <ObjectLink kind="clients" object={client} />
            <DeviceStatus device={client} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
