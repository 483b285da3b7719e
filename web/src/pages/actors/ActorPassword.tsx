import { PasswordInput } from "@mantine/core";
import { useWrite } from "../../api/queries";
import type { Actor } from "../../api/types";
import { useForm } from "../../parts/form";
import { FormButtons } from "../../parts/FormButtons";
import { notify } from "../../parts/notice";
import { usePlace } from "../../parts/path";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

export function ActorPassword({ actor }: { actor: Actor }) {
  const { open } = usePlace();
  const write = useWrite();
  const form = useForm({ password: "" });
  const back = () => {
    open(actor.id);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit(async () => {
          const body = { password: { new: form.values.password } };
          await write.mutateAsync({ method: "PUT", path: `/actors/${actor.id}/password`, body });
          notify(text.actors.passwordSet);
          back();
        });
      }}
    >
      <ProblemAlert problem={form.problem} shown={["new", "password"]} />
      <PasswordInput
        label={text.actors.newPassword}
        description={text.actors.passwordHelp}
        autoComplete="new-password"
        required
        data-autofocus
        {...form.input("password")}
        error={form.error("new", "password")}
      />
      <FormButtons isNew={false} isBusy={form.isBusy} onCancel={back} />
    </form>
  );
}
