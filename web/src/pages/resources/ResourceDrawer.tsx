import { Link } from "wouter";
import { useList, useOne } from "../../api/queries";
import type { Resource } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { DrawerActions } from "../../parts/DrawerActions";
import { Facts, Peek } from "../../parts/facts";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { PolicyRows } from "../../parts/PolicyRows";
import { RecentFlows } from "../../parts/RecentFlows";
import { text } from "../../text";
import { filterWords } from "./filters";
import { ResourceForm } from "./ResourceForm";

function Details({ resource, etag }: { resource: Resource; etag: string | null }) {
  const { open, close } = usePlace();
  const confirmedWrite = useConfirmedWrite();
  const policies = useList("policies", { resource_id: resource.id, limit: 100 });

  async function remove(): Promise<void> {
    const question = { title: text.resources.removeTitle(resource.name), words: text.resources.removeText };
    if (await confirmedWrite(question, { method: "DELETE", path: `/resources/${resource.id}`, etag })) close();
  }

  return (
    <>
      <DrawerActions
        onEdit={() => {
          open(resource.id, "edit");
        }}
        onRemove={() => {
          void remove();
        }}
      >
        <Link href={`/access?resource=${resource.id}`} className="link small">
          {text.resources.explain}
        </Link>
      </DrawerActions>
      <Facts
        facts={[
          [text.resources.type, text.resources.types[resource.type]],
          [text.resources.address, resource.address],
          [text.resources.description, resource.address_description],
          [text.resources.ipStack, resource.ip_stack && text.resources.ipStacks[resource.ip_stack]],
          [
            text.resources.sites,
            resource.type !== "static_device_pool" && (
              <Peek kind="sites" objects={resource.sites} none={text.resources.noSite} />
            ),
          ],
          [text.resources.devices, resource.type === "static_device_pool" && resource.devices.length],
          [text.resources.filters, filterWords(resource.filters)],
        ]}
      />
      <PolicyRows
        title={text.resources.policies}
        none={text.resources.noPolicies}
        policies={policies.data?.data}
        problem={policies.error}
        nameOf={(policy) => policy.group.name}
        addPath={`/policies/new?resource=${resource.id}`}
      />
      <RecentFlows query={{ resource_id: resource.id }} without="resource" />
    </>
  );
}

export function ResourceDrawer({ id }: { id: string }) {
  const { mode, open, close } = usePlace();
  const { data } = useOne("resources", id);
  if (mode === "edit" && data) {
    return <ResourceForm resource={data.object} etag={data.etag} onClose={close} onSaved={open} />;
  }
  return (
    <LoadedDrawer kind="resources" word={text.resources.one} id={id} titleOf={({ name }) => name} onClose={close}>
      {(resource, etag) => <Details resource={resource} etag={etag} />}
    </LoadedDrawer>
  );
}
