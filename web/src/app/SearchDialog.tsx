import { Modal, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useId, useState, type KeyboardEvent } from "react";
import { useLocation } from "wouter";
import { useList } from "../api/queries";
import { Icon } from "../parts/Icon";
import { text } from "../text";
import { NAVIGATION, pathOf, type PageName } from "./pages";
import { moved } from "./moved";

const SEARCHED = ["actors", "clients", "resources", "sites", "gateways", "groups"] as const;
const SHORTEST = 2;
const HITS = 5;

interface Hit {
  path: string;
  page: PageName;
  title: string;
  hint: string;
}

function useHits(q: string): Hit[] {
  const query = { q, limit: HITS };
  const isOn = q.length >= SHORTEST;
  // One list each, always in the same order.
  const lists = [
    useList("actors", query, isOn),
    useList("clients", query, isOn),
    useList("resources", query, isOn),
    useList("sites", query, isOn),
    useList("gateways", query, isOn),
    useList("groups", query, isOn),
  ];
  if (!isOn) return [];
  const pages: Hit[] = NAVIGATION.flatMap((group) => group.pages)
    .filter((page) => text.nav[page].toLowerCase().includes(q.toLowerCase()))
    .map((page) => ({ path: pathOf(page), page, title: text.nav[page], hint: text.search.pages }));
  const objects = lists.flatMap((list, index) => {
    const page = SEARCHED[index] ?? "sites";
    return (list.data?.data ?? []).map((row) => ({
      path: `/${page}/${row.id}`,
      page,
      title: row.name || text.common.unnamed,
      hint: text.nav[page],
    }));
  });
  return [...objects, ...pages];
}

/** Finds any object or page by name, by keyboard alone. */
export function SearchDialog({ onClose }: { onClose: () => void }) {
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 120);
  const hits = useHits(q);
  const [chosen, setChosen] = useState(0);
  const current = Math.min(chosen, Math.max(0, hits.length - 1));
  const listId = useId();

  function open(hit: Hit | undefined): void {
    if (!hit) return;
    navigate(hit.path);
    onClose();
  }

  function onKeyDown(event: KeyboardEvent): void {
    const next = moved(event.key, current, hits.length);
    if (next !== null) {
      event.preventDefault();
      setChosen(next);
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(hits[current]);
    }
  }

  return (
    <Modal opened onClose={onClose} withCloseButton={false} lockScroll={false} padding={0} yOffset="12vh" size="lg">
      <TextInput
        size="md"
        variant="unstyled"
        className="search-input"
        leftSection={<Icon name="search" />}
        role="combobox"
        aria-label={text.search.label}
        aria-expanded={hits.length > 0}
        aria-controls={listId}
        aria-activedescendant={hits[current] ? `${listId}-${current.toString()}` : undefined}
        placeholder={text.search.placeholder}
        value={typed}
        data-autofocus
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id={listId} role="listbox" aria-label={text.search.results} className="search-hits">
        {hits.map((hit, index) => (
          // Keys are handled by the field, which keeps the focus.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
          <div
            key={hit.path}
            id={`${listId}-${index.toString()}`}
            role="option"
            aria-selected={index === current}
            className={index === current ? "search-hit current" : "search-hit"}
            onClick={() => {
              open(hit);
            }}
          >
            <Icon name={hit.page} />
            <span>{hit.title}</span>
            <span className="dimmed">{hit.hint}</span>
          </div>
        ))}
      </div>
      <p className="search-foot dimmed small">
        {q.length < SHORTEST ? text.search.start : hits.length === 0 ? text.common.nothingFound : text.search.hint}
      </p>
    </Modal>
  );
}
