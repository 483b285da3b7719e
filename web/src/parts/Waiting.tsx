import { Loader } from "@mantine/core";
import { useState } from "react";
import { useList } from "../api/queries";
import type { Query } from "../api/http";
import { text } from "../text";
import { Icon } from "./Icon";

interface Props {
  kind: "gateways" | "clients" | "relays";
  query: Query;
}

/** Turns from "waiting" to "connected" when one comes online that was not when this was first shown. */
export function Waiting({ kind, query }: Props) {
  const list = useList(kind, { ...query, limit: 100 });
  const online = (list.data?.data ?? []).filter((row) => row.is_online);
  const [before, setBefore] = useState<ReadonlySet<string> | null>(null);
  if (before === null && list.data) setBefore(new Set(online.map(({ id }) => id)));
  const arrived = online.find(({ id }) => before && !before.has(id));

  return (
    <p className={arrived ? "waiting arrived" : "waiting"} role="status">
      {arrived ? <Icon name="check" /> : <Loader size="xs" />}
      {arrived ? text.command.connected(arrived.name ?? "") : text.command.waiting}
    </p>
  );
}
