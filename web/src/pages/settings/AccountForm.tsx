import { Button, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useWrite } from "../../api/queries";
import type { Account } from "../../api/types";
import { useForm } from "../../parts/form";
import { notify } from "../../parts/notice";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Section } from "../../parts/Section";
import { text } from "../../text";
import { linesOf } from "./lines";

const FIELDS = ["name", "client_session_lifetime_secs", "search_domain", "upstream_dns", "upstream_doh"];

const SECONDS_PER_HOUR = 3600;

export function AccountForm({ account, etag }: { account: Account; etag: string | null }) {
  const write = useWrite<Account>();
  // Of what was on the screen when editing began: another's change in between is refused, not overwritten.
  const [began, setBegan] = useState<string | null>(null);
  const form = useForm({
    name: account.name,
    client_session_lifetime_secs: (account.client_session_lifetime_secs / SECONDS_PER_HOUR).toString(),
    search_domain: account.search_domain ?? "",
    upstream_dns: account.upstream_dns.join("\n"),
    upstream_doh: account.upstream_doh.join("\n"),
  });

  async function save(): Promise<void> {
    const { name, client_session_lifetime_secs: hours, search_domain, upstream_dns, upstream_doh } = form.values;
    const body = {
      account: {
        name,
        client_session_lifetime_secs: Math.round(Number(hours) * SECONDS_PER_HOUR),
        search_domain: search_domain.trim() || null,
        upstream_dns: linesOf(upstream_dns),
        upstream_doh: linesOf(upstream_doh),
      },
    };
    await write.mutateAsync({ method: "PATCH", path: "/account", body, etag: began ?? etag });
    setBegan(null);
    notify(text.common.saved);
  }

  return (
    <form
      className="sheet padded"
      onChange={() => {
        setBegan((before) => before ?? etag);
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit(save);
      }}
    >
      <ProblemAlert problem={form.problem} shown={FIELDS} />
      <Section title={text.settings.account}>
        <TextInput label={text.settings.name} required {...form.input("name")} />
        <TextInput label={text.settings.slug} description={text.settings.slugHelp} value={account.slug} readOnly />
        <TextInput
          label={text.settings.lifetime}
          description={text.settings.lifetimeHelp}
          type="number"
          min={1}
          max={2160}
          required
          {...form.input("client_session_lifetime_secs")}
        />
      </Section>
      <Section title={text.settings.dns}>
        <p className="dimmed">{text.settings.dnsLead}</p>
        <TextInput
          label={text.settings.searchDomain}
          description={text.settings.searchDomainHelp}
          placeholder="example.internal"
          {...form.input("search_domain")}
        />
        <Textarea
          label={text.settings.upstream}
          description={text.settings.upstreamHelp}
          placeholder="9.9.9.9"
          rows={3}
          {...form.input("upstream_dns")}
        />
        <Textarea
          label={text.settings.doh}
          description={text.settings.dohHelp}
          placeholder="https://dns.example/dns-query"
          rows={2}
          {...form.input("upstream_doh")}
        />
      </Section>
      <Button type="submit" loading={form.isBusy}>
        {text.common.save}
      </Button>
    </form>
  );
}
