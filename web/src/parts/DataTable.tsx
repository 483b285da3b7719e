import { Checkbox, Skeleton } from "@mantine/core";
import {
  flexRender,
  getCoreRowModel,
  getSortedRowModel,
  useReactTable,
  type ColumnDef,
  type RowSelectionState,
  type SortingState,
} from "@tanstack/react-table";
import type { MouseEvent, ReactNode } from "react";
import { text } from "../text";
import { Icon } from "./Icon";

export type Column<T> = ColumnDef<T>;

interface Props<T> {
  label: string;
  rows: readonly T[] | undefined;
  columns: Column<T>[];
  nameOf: (row: T) => string;
  onOpen?: ((row: T) => void) | undefined;
  /** Only where all rows are here: sorting a part of a list would lie. */
  canSort?: boolean;
  sort?: string | null;
  onSort?: (sort: string | null) => void;
  selection?: RowSelectionState;
  onSelect?: (selection: RowSelectionState) => void;
}

const SKELETONS = 5;
// The same one each time: the table takes another empty list for new rows, draws anew, and would never end.
const NO_ROWS: never[] = [];

function sortingOf(sort: string | null | undefined): SortingState {
  return sort ? [{ id: sort.replace(/^-/, ""), desc: sort.startsWith("-") }] : [];
}

/** A click on a row opens it, but not one on a link, button or box in it. */
function isOnControl(event: MouseEvent): boolean {
  return event.target instanceof Element && event.target.closest("a, button, input, label") !== null;
}

export function DataTable<T extends { id: string | number }>(props: Props<T>) {
  const { rows, columns, nameOf, onOpen, canSort = false, onSort, selection, onSelect } = props;
  const sorting = canSort ? sortingOf(props.sort) : [];
  const table = useReactTable<T>({
    data: rows ? (rows as T[]) : NO_ROWS,
    autoResetPageIndex: false,
    columns,
    state: { sorting, rowSelection: selection ?? {} },
    getRowId: (row) => String(row.id),
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    enableSorting: canSort,
    onSortingChange: (change) => {
      const [next] = typeof change === "function" ? change(sorting) : change;
      onSort?.(next ? `${next.desc ? "-" : ""}${next.id}` : null);
    },
    onRowSelectionChange: (change) => {
      onSelect?.(typeof change === "function" ? change(selection ?? {}) : change);
    },
  });
  const width = columns.length + (onSelect ? 1 : 0);

  return (
    <table className="table" aria-label={props.label} aria-busy={rows === undefined}>
      <thead>
        {table.getHeaderGroups().map((group) => (
          <tr key={group.id}>
            {onSelect && (
              <th scope="col" className="check">
                <Checkbox
                  size="xs"
                  aria-label={text.list.selectAll}
                  checked={table.getIsAllRowsSelected()}
                  indeterminate={table.getIsSomeRowsSelected()}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </th>
            )}
            {group.headers.map(({ id, column, getContext }) => {
              const direction = column.getIsSorted();
              const head: ReactNode = flexRender(column.columnDef.header, getContext());
              return (
                <th
                  key={id}
                  scope="col"
                  aria-sort={direction ? (direction === "asc" ? "ascending" : "descending") : undefined}
                >
                  {column.getCanSort() ? (
                    <button type="button" className="sort" onClick={column.getToggleSortingHandler()}>
                      {head}
                      {direction && <Icon name={direction === "asc" ? "up" : "down"} size={12} />}
                    </button>
                  ) : (
                    head
                  )}
                </th>
              );
            })}
          </tr>
        ))}
      </thead>
      <tbody>
        {rows === undefined &&
          Array.from({ length: SKELETONS }, (_, index) => (
            <tr key={index}>
              <td colSpan={width}>
                <Skeleton height={14} my={6} />
              </td>
            </tr>
          ))}
        {table.getRowModel().rows.map((row) => (
          // The name in the row is a link, which is what keyboards use.
          <tr
            key={row.id}
            className={onOpen ? "opens" : undefined}
            onClick={(event) => {
              if (!isOnControl(event)) onOpen?.(row.original);
            }}
          >
            {onSelect && (
              <td className="check">
                <Checkbox
                  size="xs"
                  aria-label={text.list.select(nameOf(row.original))}
                  checked={row.getIsSelected()}
                  onChange={row.getToggleSelectedHandler()}
                />
              </td>
            )}
            {row.getVisibleCells().map((cell) => (
              <td key={cell.id} data-label={String(cell.column.columnDef.header ?? "")}>
                {flexRender(cell.column.columnDef.cell, cell.getContext())}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
