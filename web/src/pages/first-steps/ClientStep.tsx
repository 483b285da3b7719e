import { Button, Group } from "@mantine/core";
import { useList, useOne } from "../../api/queries";
import { Status } from "../../parts/facts";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { text } from "../../text";
import { NewActorToken } from "../actors/NewActorToken";

interface Props {
  actorId: string | null;
  onChoose: (id: string | null) => void;
  onDone: () => void;
}

export function ClientStep({ actorId, onChoose, onDone }: Props) {
  const actor = useOne("actors", actorId);
  const clients = useList("clients", { actor_id: actorId, limit: 100 }, actorId !== null);
  const online = (clients.data?.data ?? []).filter((client) => client.is_online);
  return (
    <>
      <ObjectSelect kind="actors" label={text.first.client.who} value={actorId} onChange={onChoose} isRequired />
      {online.map((client) => (
        <p key={client.id}>
          <Status isGood words={text.command.connected(client.name)} />
        </p>
      ))}
      {actor.data && <NewActorToken key={actor.data.object.id} actor={actor.data.object} onClose={onDone} />}
      <Group justify="flex-end" mt="md">
        <Button variant={online.length > 0 ? "filled" : "default"} onClick={onDone}>
          {text.first.next}
        </Button>
      </Group>
    </>
  );
}
