import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useList, useOne } from "../api/queries";
import { text } from "../text";

export type FilterKind = "sites" | "actors" | "groups" | "resources" | "clients" | "gateways";

const HITS = 25;

interface Props {
  kind: FilterKind;
  label: string;
  value: string | null;
  onChange: (id: string | null) => void;
}

/** Narrows a list to what belongs to one object. Nothing is asked of the portal before it is opened. */
export function ObjectFilter({ kind, label, value, onChange }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const chosen = useOne(kind, value);
  const name = chosen.data?.object.name ?? "";
  const [q] = useDebouncedValue(typed === name ? "" : typed, 200);
  const list = useList(kind, { q, limit: HITS }, isOpen);

  const options = (list.data?.data ?? []).map((row) => ({ value: row.id, label: row.name || text.common.unnamed }));
  if (value && name && !options.some((option) => option.value === value)) options.unshift({ value, label: name });

  return (
    <Select
      aria-label={label}
      placeholder={label}
      data={options}
      value={value}
      onChange={onChange}
      searchable
      clearable
      searchValue={typed}
      onSearchChange={setTyped}
      onDropdownOpen={() => {
        setOpen(true);
      }}
      filter={({ options: found }) => found}
      nothingFoundMessage={list.isPending ? text.common.loading : text.common.nothingFound}
      w={190}
    />
  );
}
