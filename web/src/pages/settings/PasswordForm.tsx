import { Button, PasswordInput } from "@mantine/core";
import { useWrite } from "../../api/queries";
import { useForm } from "../../parts/form";
import { notify } from "../../parts/notice";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Section } from "../../parts/Section";
import { text } from "../../text";

export function PasswordForm() {
  const write = useWrite();
  const form = useForm({ current: "", new: "" });
  return (
    <form
      className="sheet padded"
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit(async () => {
          await write.mutateAsync({
            method: "PUT",
            path: "/session/password",
            body: { password: form.values },
          });
          form.set("current", "");
          form.set("new", "");
          notify(text.settings.changed);
        });
      }}
    >
      <Section title={text.settings.password}>
        <ProblemAlert problem={form.problem} shown={["current", "new"]} />
        <PasswordInput
          label={text.settings.current}
          autoComplete="current-password"
          required
          {...form.input("current")}
        />
        <PasswordInput
          label={text.settings.new}
          description={text.setup.passwordHelp}
          autoComplete="new-password"
          required
          {...form.input("new")}
        />
      </Section>
      <Button type="submit" loading={form.isBusy}>
        {text.settings.change}
      </Button>
    </form>
  );
}
