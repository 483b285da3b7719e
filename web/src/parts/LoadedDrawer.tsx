import { Loader } from "@mantine/core";
import type { ReactNode } from "react";
import { useOne } from "../api/queries";
import type { Kind, Kinds } from "../api/types";
import { text } from "../text";
import { ObjectDrawer } from "./ObjectDrawer";
import { ProblemAlert } from "./ProblemAlert";

interface Props<K extends Kind> {
  kind: K;
  word: string;
  id: string;
  titleOf: (object: Kinds[K]) => string;
  onClose: () => void;
  children: (object: Kinds[K], etag: string | null) => ReactNode;
}

/** A drawer with one object of the portal in it, once it has come. */
export function LoadedDrawer<K extends Kind>({ kind, word, id, titleOf, onClose, children }: Props<K>) {
  const { data, error } = useOne(kind, id);
  return (
    <ObjectDrawer kind={word} title={data ? titleOf(data.object) : ""} onClose={onClose}>
      {error && !data && <ProblemAlert problem={error} />}
      {!data && !error && <Loader aria-label={text.common.loading} />}
      {data && children(data.object, data.etag)}
    </ObjectDrawer>
  );
}
