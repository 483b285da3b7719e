import { TextInput } from "@mantine/core";
import { useOne, useWrite } from "../../api/queries";
import type { Client } from "../../api/types";
import { DeviceActions } from "../../parts/DeviceActions";
import { Facts, ObjectLink } from "../../parts/facts";
import { DeviceStatus } from "../../parts/DeviceStatus";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { usePlace } from "../../parts/path";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { RecentFlows } from "../../parts/RecentFlows";
import { VerificationButton } from "../../parts/Verification";
import { text } from "../../text";
import { absolute } from "../../text/time";

function Details({ client, etag }: { client: Client; etag: string | null }) {
  const { open, close } = usePlace();
  return (
    <>
      <DeviceActions
        kind="clients"
        device={client}
        etag={etag}
        onEdit={() => {
          open(client.id, "edit");
        }}
        onRemoved={close}
      >
        <VerificationButton client={client} />
      </DeviceActions>
      <Facts
        facts={[
          [text.clients.status, <DeviceStatus device={client} />],
          [text.clients.actor, <ObjectLink kind="actors" object={client.actor} />],
          [text.clients.verification, client.verified_at ? absolute(client.verified_at) : text.clients.notVerified],
          [text.clients.version, client.last_seen_version],
          [text.clients.system, client.last_seen_user_agent],
          [text.clients.address, client.last_seen_remote_ip],
          [text.clients.tunnel, `${client.ipv4}, ${client.ipv6}`],
        ]}
      />
      <RecentFlows query={{ client_id: client.id }} without="client" />
    </>
  );
}

function ClientForm({ client, etag }: { client: Client; etag: string | null }) {
  const { open } = usePlace();
  const write = useWrite();
  const form = useForm({ name: client.name });
  const back = () => {
    open(client.id);
  };
  return (
    <ObjectDrawer kind={text.clients.one} title={client.name} onClose={back}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(async () => {
            await write.mutateAsync({
              method: "PATCH",
              path: `/clients/${client.id}`,
              body: { client: form.values },
              etag,
            });
            back();
          });
        }}
      >
        <ProblemAlert problem={form.problem} shown={["name"]} />
        <TextInput label={text.clients.name} required data-autofocus {...form.input("name")} />
        <FormButtons isNew={false} isBusy={form.isBusy} onCancel={back} />
      </form>
    </ObjectDrawer>
  );
}

export function ClientDrawer({ id }: { id: string }) {
  const { mode, close } = usePlace();
  const { data } = useOne("clients", id);
  if (mode === "edit" && data) return <ClientForm client={data.object} etag={data.etag} />;
  return (
    <LoadedDrawer kind="clients" word={text.clients.one} id={id} titleOf={({ name }) => name} onClose={close}>
      {(client, etag) => <Details client={client} etag={etag} />}
    </LoadedDrawer>
  );
}
