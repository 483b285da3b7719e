import { Button, Loader } from "@mantine/core";
import { Link } from "wouter";
import { useList, useOne } from "../../api/queries";
import { CopyField } from "../../parts/CopyField";
import { Icon } from "../../parts/Icon";
import { text } from "../../text";

interface Props {
  resourceId: string | null;
  actorId: string | null;
}

/** Waits for the first access; if it does not come, the explorer says why not. */
export function PacketStep({ resourceId, actorId }: Props) {
  const resource = useOne("resources", resourceId);
  const flows = useList("flows", { resource_id: resourceId, actor_id: actorId, limit: 1 });
  const first = flows.data?.data[0];
  const address = resource.data?.object.address;
  return (
    <>
      {address && <CopyField value={address} label={text.resources.address} />}
      <p className={first ? "waiting arrived" : "waiting"} role="status">
        {first ? <Icon name="check" /> : <Loader size="xs" />}
        {first ? text.first.packet.arrived(first.client.name, first.resource.name) : text.first.packet.waiting}
      </p>
      {!first && resourceId && actorId && (
        <p>
          <Link href={`/access?actor=${actorId}&resource=${resourceId}`} className="link">
            {text.first.packet.whyNot}
          </Link>
        </p>
      )}
      <Button component={Link} href="/" variant={first ? "filled" : "default"}>
        {text.first.packet.overview}
      </Button>
    </>
  );
}
