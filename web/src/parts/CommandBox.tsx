import { Tabs } from "@mantine/core";
import { text } from "../text";
import { portalUrl, runAsService, runNow, type Program } from "./command";
import { CopyField } from "./CopyField";

interface Props {
  binary: Program["binary"];
  token: string;
  environment?: Readonly<Record<string, string>>;
}

/** The one line that connects a machine, with its token in it: shown once. */
export function CommandBox({ binary, token, environment = {} }: Props) {
  const program: Program = {
    binary,
    environment: { FIREZONE_API_URL: portalUrl(window.location), FIREZONE_TOKEN: token, ...environment },
  };
  return (
    <Tabs defaultValue="now" keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="now">{text.command.now}</Tabs.Tab>
        <Tabs.Tab value="service">{text.command.service}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="now" pt="sm">
        <CopyField value={runNow(program)} label={text.command.label} />
      </Tabs.Panel>
      <Tabs.Panel value="service" pt="sm">
        <CopyField value={runAsService(program)} label={text.command.label} />
      </Tabs.Panel>
      <p className="dimmed small">{text.token.once}</p>
    </Tabs>
  );
}
