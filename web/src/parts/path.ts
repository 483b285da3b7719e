import { useLocation, useSearch } from "wouter";

export interface Place {
  /** The list's page, such as `sites`; empty for the overview. */
  page: string;
  /** The object whose drawer is open; `new` for one that is being made. */
  id: string | null;
  mode: string | null;
}

export function placeOf(location: string): Place {
  const [page = "", id, mode] = location.split("/").slice(1);
  return { page, id: id || null, mode: mode || null };
}

/** Where we are, and how to open and close drawers without losing the list's filters. */
export function usePlace() {
  const [location, navigate] = useLocation();
  const search = useSearch();
  const place = placeOf(location);
  const suffix = search ? `?${search}` : "";
  return {
    ...place,
    open: (id: string, mode?: string) => {
      navigate(`/${place.page}/${id}${mode ? `/${mode}` : ""}${suffix}`);
    },
    close: () => {
      navigate(`/${place.page}${suffix}`);
    },
    navigate,
  };
}
