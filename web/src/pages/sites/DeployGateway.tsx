import { Button } from "@mantine/core";
import type { Named } from "../../api/types";
import { useNewToken } from "../../api/newToken";
import { CommandBox } from "../../parts/CommandBox";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { Waiting } from "../../parts/Waiting";
import { text } from "../../text";

/** Makes a token only when asked to, and shows the command with it until a gateway has connected. */
export function DeployGateway({ site }: { site: Named }) {
  const token = useNewToken(`/sites/${site.id}/tokens`);
  return (
    <div className="deploy">
      <p>{text.sites.deployLead}</p>
      <ProblemAlert problem={token.problem} />
      {token.made ? (
        <>
          <CommandBox binary="culvert-gateway" token={token.made.token} />
          <Waiting kind="gateways" query={{ site_id: site.id }} />
        </>
      ) : (
        <Button loading={token.isBusy} onClick={token.make}>
          {text.first.gateway.make}
        </Button>
      )}
    </div>
  );
}
