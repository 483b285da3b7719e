import { useList } from "../../api/queries";
import { ObjectLink, Online } from "../../parts/facts";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";

export function SiteGateways({ id }: { id: string }) {
  const gateways = useList("gateways", { site_id: id, limit: 100 });
  if (gateways.error) return <ProblemAlert problem={gateways.error} />;
  if (gateways.data?.data.length === 0) return <p className="dimmed">{text.sites.noGateways}</p>;
  return (
    <ul className="rows">
      {gateways.data?.data.map((gateway) => (
        <li key={gateway.id}>
          <ObjectLink kind="gateways" object={gateway} />
          <Online row={gateway} />
        </li>
      ))}
    </ul>
  );
}
