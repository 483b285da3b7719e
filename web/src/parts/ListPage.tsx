import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import type { RowSelectionState } from "@tanstack/react-table";
import { useState, type ReactNode } from "react";
import { useList } from "../api/queries";
import type { Kind, Kinds } from "../api/types";
import { text } from "../text";
import { DataTable, type Column } from "./DataTable";
import { EmptyState } from "./EmptyState";
import { Icon, type IconName } from "./Icon";
import { useListState, type ListState } from "./listState";
import { ObjectFilter, type FilterKind } from "./ObjectFilter";
import { PageHead } from "./PageHead";
import { ProblemAlert } from "./ProblemAlert";

export interface Filter {
  key: string;
  label: string;
  kind: FilterKind;
}

export interface BulkAction<T> {
  label: string;
  isDangerous?: boolean;
  run: (rows: T[]) => Promise<unknown>;
}

interface Props<K extends Kind> {
  kind: K;
  icon: IconName;
  title: string;
  lead: string;
  columns: Column<Kinds[K]>[];
  nameOf: (row: Kinds[K]) => string;
  action?: ReactNode;
  filters?: readonly Filter[];
  hasSearch?: boolean;
  empty: { title: string; words: string; action?: ReactNode };
  bulk?: readonly BulkAction<Kinds[K]>[];
  onOpen?: (row: Kinds[K]) => void;
  /** Drawers over the list; some show one of its rows. */
  children?: ReactNode | ((rows: readonly Kinds[K][]) => ReactNode);
}

function Search({ state }: { state: ListState }) {
  const [typed, setTyped] = useState(state.q);
  const [seen, setSeen] = useState(state.q);
  if (seen !== state.q) {
    // Back, or "clear filters".
    setSeen(state.q);
    setTyped(state.q);
  }
  const search = useDebouncedCallback((value: string) => {
    state.setFilter("q", value.trim());
  }, 250);
  return (
    <TextInput
      className="list-search"
      type="search"
      aria-label={text.list.search}
      placeholder={text.list.search}
      leftSection={<Icon name="search" size={14} />}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        search(event.currentTarget.value);
      }}
    />
  );
}

function Pager({ state, page }: { state: ListState; page: { next: string | null; previous: string | null } }) {
  if (!page.next && !page.previous) return null;
  return (
    <nav className="pager" aria-label={text.list.pages}>
      <Button
        variant="default"
        size="xs"
        disabled={!page.previous && !state.cursor}
        onClick={() => {
          state.setPage(page.previous);
        }}
      >
        {text.list.previous}
      </Button>
      <Button
        variant="default"
        size="xs"
        disabled={!page.next}
        onClick={() => {
          state.setPage(page.next);
        }}
      >
        {text.list.next}
      </Button>
    </nav>
  );
}

/** One list with its search, filters, pages and bulk actions. */
export function ListPage<K extends Kind>(props: Props<K>) {
  const { kind, columns, nameOf, filters = [], bulk = [], hasSearch = true, empty } = props;
  const state = useListState(filters.map(({ key }) => key));
  const list = useList(kind, { q: state.q, page_cursor: state.cursor, ...state.filters });
  const [selection, setSelection] = useState<RowSelectionState>({});

  const rows = list.data?.data;
  const count = list.data?.metadata.count ?? 0;
  const selected = (rows ?? []).filter((row) => selection[row.id]);
  const isEmpty = rows?.length === 0 && !state.isFiltered && !state.cursor;

  return (
    <>
      <PageHead title={props.title} lead={props.lead} action={isEmpty ? undefined : props.action} />
      <ProblemAlert problem={list.error} />
      {isEmpty ? (
        <EmptyState icon={props.icon} title={empty.title} words={empty.words} action={empty.action ?? props.action} />
      ) : (
        <div className="sheet">
          <div className="toolbar">
            {hasSearch && <Search state={state} />}
            {filters.map((filter) => (
              <ObjectFilter
                key={filter.key}
                kind={filter.kind}
                label={filter.label}
                value={state.filters[filter.key] || null}
                onChange={(id) => {
                  state.setFilter(filter.key, id);
                }}
              />
            ))}
            {state.isFiltered && (
              <Button variant="subtle" size="xs" onClick={state.clear}>
                {text.list.clear}
              </Button>
            )}
            <span className="count" aria-live="polite">
              {rows && text.list.showing(rows.length, count)}
            </span>
          </div>
          {selected.length > 0 && (
            <div className="toolbar bulk" role="toolbar" aria-label={text.list.selected(selected.length)}>
              <span>{text.list.selected(selected.length)}</span>
              {bulk.map((action) => (
                <Button
                  key={action.label}
                  size="xs"
                  variant={action.isDangerous ? "filled" : "default"}
                  {...(action.isDangerous ? { color: "red" } : {})}
                  onClick={() => {
                    void action.run(selected).then(() => {
                      setSelection({});
                    });
                  }}
                >
                  {action.label}
                </Button>
              ))}
              <ActionIcon
                variant="subtle"
                aria-label={text.list.unselect}
                onClick={() => {
                  setSelection({});
                }}
              >
                <Icon name="cross" size={14} />
              </ActionIcon>
            </div>
          )}
          {rows?.length === 0 ? (
            <p className="no-match">{text.list.noMatch}</p>
          ) : (
            <DataTable
              label={props.title}
              rows={rows}
              columns={columns}
              nameOf={nameOf}
              onOpen={props.onOpen}
              canSort={rows !== undefined && rows.length >= count}
              sort={state.sort}
              onSort={state.setSort}
              {...(bulk.length > 0 ? { selection, onSelect: setSelection } : {})}
            />
          )}
          <Pager
            state={state}
            page={{
              next: list.data?.metadata.next_page ?? null,
              previous: list.data?.metadata.prev_page ?? null,
            }}
          />
        </div>
      )}
      {typeof props.children === "function" ? props.children(rows ?? []) : props.children}
    </>
  );
}
