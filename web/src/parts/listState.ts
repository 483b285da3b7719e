import { useSearchParams } from "wouter";

/** Filters and page of a list. They stand in the URL, so that reload, back and links keep them. */
export function useListState(filters: readonly string[]) {
  const [params, setParams] = useSearchParams();

  function change(edit: (next: URLSearchParams) => void): void {
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        edit(next);
        return next;
      },
      { replace: true },
    );
  }

  const values = Object.fromEntries(filters.map((key) => [key, params.get(key) ?? ""]));
  return {
    q: params.get("q") ?? "",
    filters: values,
    cursor: params.get("page"),
    sort: params.get("sort"),
    isFiltered: ["q", ...filters].some((key) => params.get(key)),
    setFilter: (key: string, value: string | null) => {
      change((next) => {
        if (value) next.set(key, value);
        else next.delete(key);
        next.delete("page");
      });
    },
    setPage: (cursor: string | null) => {
      change((next) => {
        if (cursor) next.set("page", cursor);
        else next.delete("page");
      });
    },
    setSort: (sort: string | null) => {
      change((next) => {
        if (sort) next.set("sort", sort);
        else next.delete("sort");
      });
    },
    clear: () => {
      change((next) => {
        ["q", "page", ...filters].forEach((key) => {
          next.delete(key);
        });
      });
    },
  };
}

export type ListState = ReturnType<typeof useListState>;
