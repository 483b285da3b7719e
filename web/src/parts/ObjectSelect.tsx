import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useList, useOne } from "../api/queries";
import type { Kinds } from "../api/types";
import { text } from "../text";

const HITS = 25;

type Selectable = "actors" | "groups" | "resources" | "sites" | "clients" | "gateways";

interface Props {
  kind: Selectable;
  label: string;
  value: string | null;
  onChange: (id: string | null) => void;
  error?: string | undefined;
  description?: string;
  isRequired?: boolean;
  /** Not offered: chosen already. */
  without?: readonly string[];
}

function hint(kind: Selectable, row: Kinds[Selectable]): string {
  if (kind === "resources") return (row as Kinds["resources"]).address ?? "";
  if (kind === "actors") return (row as Kinds["actors"]).email ?? "";
  return "";
}

/** Chooses one object; the portal searches, so that ten thousand are no burden. */
export function ObjectSelect({ kind, label, value, onChange, error, description, isRequired, without = [] }: Props) {
  const [typed, setTyped] = useState("");
  const chosen = useOne(kind, value);
  const chosenName = chosen.data?.object.name;
  // What stands in the field after choosing is no search.
  const [q] = useDebouncedValue(typed === chosenName ? "" : typed, 200);
  const list = useList(kind, { q, limit: HITS });

  const rows = (list.data?.data ?? []).filter((row) => !without.includes(row.id));
  const hints = new Map(rows.map((row) => [row.id, hint(kind, row)]));
  const options = rows.map((row) => ({ value: row.id, label: row.name || text.common.unnamed }));
  if (value && chosen.data && !hints.has(value)) {
    options.unshift({ value, label: chosen.data.object.name || text.common.unnamed });
  }

  return (
    <Select
      label={label}
      description={description}
      placeholder={text.common.typeToFind}
      data={options}
      value={value}
      onChange={onChange}
      searchable
      clearable={!isRequired}
      required={isRequired ?? false}
      searchValue={typed}
      onSearchChange={setTyped}
      filter={({ options: found }) => found}
      nothingFoundMessage={list.isPending ? text.common.loading : text.common.nothingFound}
      error={error}
      comboboxProps={{ zIndex: 500 }}
      renderOption={({ option }) => (
        <span className="option">
          {option.label} <span className="dimmed">{hints.get(option.value)}</span>
        </span>
      )}
    />
  );
}
