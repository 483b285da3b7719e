import { Select, TextInput } from "@mantine/core";
import { useWrite } from "../../api/queries";
import type { Actor, ActorType } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

interface Props {
  actor?: Actor;
  etag?: string | null;
  onClose: () => void;
  onSaved: (id: string) => void;
}

const PEOPLE: readonly ActorType[] = ["account_user", "account_admin_user"];
const MACHINES: readonly ActorType[] = ["service_account", "api_client"];

/** A person cannot become a machine, nor the other way round. */
function typesFor(actor: Actor | undefined): readonly ActorType[] {
  if (!actor) return [...PEOPLE, ...MACHINES];
  return PEOPLE.includes(actor.type) ? PEOPLE : [actor.type];
}

export function ActorForm({ actor, etag = null, onClose, onSaved }: Props) {
  const write = useWrite<Actor>();
  const form = useForm({ name: actor?.name ?? "", type: actor?.type ?? "account_user", email: actor?.email ?? "" });
  const isPerson = PEOPLE.includes(form.values.type);

  async function save(): Promise<void> {
    const { name, type, email } = form.values;
    const body = { actor: { name, type, ...(isPerson ? { email: email || null } : {}) } };
    const saved = await write.mutateAsync(
      actor ? { method: "PATCH", path: `/actors/${actor.id}`, body, etag } : { method: "POST", path: "/actors", body },
    );
    onSaved(saved.id);
  }

  return (
    <ObjectDrawer kind={text.actors.one} title={actor?.name ?? text.actors.add} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(save);
        }}
      >
        <ProblemAlert problem={form.problem} shown={["name", "type", ...(isPerson ? ["email"] : [])]} />
        <TextInput label={text.actors.name} required data-autofocus {...form.input("name")} />
        <Select
          label={text.actors.type}
          description={text.actors.typeHelp[form.values.type]}
          data={typesFor(actor).map((value) => ({ value, label: text.actors.types[value] }))}
          value={form.values.type}
          onChange={(value) => {
            if (value) form.set("type", value);
          }}
          allowDeselect={false}
          error={form.error("type")}
          comboboxProps={{ zIndex: 500 }}
        />
        {isPerson && <TextInput label={text.actors.email} type="email" {...form.input("email")} />}
        <FormButtons isNew={!actor} isBusy={form.isBusy} onCancel={onClose} />
      </form>
    </ObjectDrawer>
  );
}
