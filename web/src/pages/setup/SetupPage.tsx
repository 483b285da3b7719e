import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { data } from "../../api/http";
import { takeSession } from "../../api/queries";
import type { Session } from "../../api/types";
import { useForm } from "../../parts/form";
import { PageHead } from "../../parts/PageHead";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

const FIELDS = ["code", "account_name", "name", "email", "password"] as const;

/** Makes the first administrator, and goes on with the first steps. */
export default function SetupPage() {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const form = useForm({ code: "", account_name: "", name: "", email: "", password: "" });

  async function create(): Promise<void> {
    const session = await data<Session>("POST", "/setup", { setup: form.values });
    navigate("/first-steps");
    client.setQueryData(["setup"], { is_needed: false });
    takeSession(client, session);
  }

  return (
    <main className="door wide">
      <img src="/admin/icon.svg" width={48} height={48} alt="" />
      <PageHead title={text.setup.title} lead={text.setup.lead} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(create);
        }}
      >
        <ProblemAlert problem={form.problem} shown={FIELDS} />
        <TextInput
          label={text.setup.code}
          description={text.setup.codeHelp}
          autoComplete="one-time-code"
          required
          {...form.input("code")}
        />
        <TextInput label={text.setup.account} autoComplete="organization" required {...form.input("account_name")} />
        <TextInput label={text.setup.name} autoComplete="name" required {...form.input("name")} />
        <TextInput label={text.setup.email} type="email" autoComplete="username" required {...form.input("email")} />
        <PasswordInput
          label={text.setup.password}
          description={text.setup.passwordHelp}
          autoComplete="new-password"
          required
          {...form.input("password")}
        />
        <Button type="submit" fullWidth loading={form.isBusy}>
          {text.setup.submit}
        </Button>
      </form>
    </main>
  );
}
