import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { data } from "../../api/http";
import { takeSession } from "../../api/queries";
import type { Session } from "../../api/types";
import { useForm } from "../../parts/form";
import { PageHead } from "../../parts/PageHead";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

export default function SignInPage() {
  const client = useQueryClient();
  const form = useForm({ email: "", password: "" });

  return (
    <main className="door">
      <img src="/admin/icon.svg" width={48} height={48} alt="" />
      <PageHead title={text.signIn.title} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit(async () => {
            takeSession(client, await data<Session>("POST", "/session", { session: form.values }));
          });
        }}
      >
        <ProblemAlert problem={form.problem} shown={["email", "password"]} />
        <TextInput
          label={text.signIn.email}
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          {...form.input("email")}
        />
        <PasswordInput
          label={text.signIn.password}
          autoComplete="current-password"
          required
          withAsterisk={false}
          {...form.input("password")}
        />
        <Button type="submit" fullWidth loading={form.isBusy}>
          {text.signIn.submit}
        </Button>
        <p className="dimmed small">{text.signIn.forgotten}</p>
      </form>
    </main>
  );
}
