import { Button } from "@mantine/core";
import { Link } from "wouter";
import { useList } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { PageHead } from "../../parts/PageHead";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { RecentFlows } from "../../parts/RecentFlows";
import { Section } from "../../parts/Section";
import { text } from "../../text";
import { Tile } from "./Tile";
import { warnings } from "./warnings";

const MANY = { limit: 100 };

export default function OverviewPage() {
  const sites = useList("sites", MANY);
  const gateways = useList("gateways", MANY);
  const relays = useList("relays", MANY);
  const clients = useList("clients", MANY);
  const resources = useList("resources", { limit: 1 });
  const policies = useList("policies", { limit: 1 });
  const actors = useList("actors", { limit: 1 });

  const isLoaded = sites.data && gateways.data && relays.data && policies.data;
  const found = isLoaded
    ? warnings({ sites: sites.data.data, relays: relays.data.data, policies: policies.data.metadata.count })
    : [];
  const isNew = sites.data?.metadata.count === 0 || policies.data?.metadata.count === 0;

  return (
    <>
      <PageHead
        title={text.overview.title}
        action={
          isNew && (
            <Button component={Link} href="/first-steps">
              {text.overview.firstSteps}
            </Button>
          )
        }
      />
      <ProblemAlert problem={sites.error ?? gateways.error ?? relays.error ?? policies.error} />
      <ul className="tiles">
        <Tile page="sites" count={sites.data?.metadata.count} />
        <Tile page="gateways" count={gateways.data?.metadata.count} rows={gateways.data?.data} />
        <Tile page="clients" count={clients.data?.metadata.count} rows={clients.data?.data} />
        <Tile page="relays" count={relays.data?.metadata.count} rows={relays.data?.data} />
        <Tile page="actors" count={actors.data?.metadata.count} />
        <Tile page="resources" count={resources.data?.metadata.count} />
        <Tile page="policies" count={policies.data?.metadata.count} />
      </ul>
      <div className="sheet padded">
        <Section title={text.overview.attention}>
          {isLoaded && found.length === 0 && (
            <p className="all-well">
              <Icon name="check" /> {text.overview.allWell}
            </p>
          )}
          <ul className="warnings">
            {found.map(({ words, href }) => (
              <li key={words}>
                <Icon name="warning" />
                <Link href={href} className="link">
                  {words}
                </Link>
              </li>
            ))}
          </ul>
        </Section>
      </div>
      <div className="sheet padded">
        <RecentFlows query={{}} without="none" />
        <Link href="/flows" className="link small">
          {text.overview.all}
        </Link>
      </div>
    </>
  );
}
