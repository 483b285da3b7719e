import { Button } from "@mantine/core";
import { Link } from "wouter";
import { useWrite } from "../../api/queries";
import type { Policy } from "../../api/types";
import { forEachOf } from "../../parts/bulk";
import { confirm } from "../../parts/confirm";
import type { Column } from "../../parts/DataTable";
import { ObjectLink, Status } from "../../parts/facts";
import { Icon } from "../../parts/Icon";
import { ListPage } from "../../parts/ListPage";
import { usePlace } from "../../parts/path";
import { text } from "../../text";
import { PolicyDrawer } from "./PolicyDrawer";
import { PolicyForm } from "./PolicyForm";
import { conditionWords } from "./words";

const columns: Column<Policy>[] = [
  {
    id: "group",
    accessorFn: (policy) => policy.group.name,
    header: text.policies.group,
    cell: ({ row: { original } }) => <ObjectLink kind="groups" object={original.group} />,
  },
  {
    id: "resource",
    accessorFn: (policy) => policy.resource.name,
    header: text.policies.resource,
    cell: ({ row: { original } }) => <ObjectLink kind="resources" object={original.resource} />,
  },
  {
    accessorKey: "is_disabled",
    header: text.policies.status,
    cell: ({ row: { original } }) => (
      <Status
        isGood={!original.is_disabled}
        words={original.is_disabled ? text.policies.disabled : text.policies.enabled}
      />
    ),
  },
  {
    id: "conditions",
    header: text.policies.conditions,
    enableSorting: false,
    cell: ({ row }) => conditionWords(row.original.conditions),
  },
  { accessorKey: "description", header: text.policies.description },
  {
    id: "open",
    header: "",
    enableSorting: false,
    cell: ({ row: { original } }) => (
      <Link
        href={`/policies/${original.id}`}
        className="link"
        aria-label={`${text.flows.show}: ${text.policies.may(original.group.name, original.resource.name)}`}
      >
        {text.flows.show}
      </Link>
    ),
  },
];

export default function PoliciesPage() {
  const { id, open, close } = usePlace();
  const write = useWrite();

  async function turn(policies: Policy[], is_disabled: boolean): Promise<void> {
    const yes =
      !is_disabled ||
      (await confirm({
        title: text.policies.manyOffTitle(policies.length),
        words: text.policies.manyOffText,
        action: text.policies.turnOff,
        isDangerous: true,
      }));
    if (!yes) return;
    await forEachOf(
      policies,
      (policy) =>
        write.mutateAsync({
          method: "PATCH",
          path: `/policies/${policy.id}`,
          body: { policy: { is_disabled } },
        }),
      text.common.saved,
    );
  }

  return (
    <ListPage
      kind="policies"
      icon="policies"
      title={text.policies.title}
      lead={text.policies.lead}
      columns={columns}
      nameOf={(policy) => text.policies.may(policy.group.name, policy.resource.name)}
      onOpen={(policy) => {
        open(policy.id);
      }}
      filters={[
        { key: "group_id", label: text.policies.group, kind: "groups" },
        { key: "resource_id", label: text.policies.resource, kind: "resources" },
      ]}
      bulk={[
        { label: text.policies.turnOff, isDangerous: true, run: (policies) => turn(policies, true) },
        { label: text.policies.turnOn, run: (policies) => turn(policies, false) },
      ]}
      action={
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => {
            open("new");
          }}
        >
          {text.policies.add}
        </Button>
      }
      empty={{ title: text.policies.emptyTitle, words: text.policies.emptyText }}
    >
      {id === "new" && <PolicyForm onClose={close} onSaved={open} />}
      {id && id !== "new" && <PolicyDrawer key={id} id={id} />}
    </ListPage>
  );
}
