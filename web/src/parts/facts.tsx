import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Named } from "../api/types";
import { text } from "../text";
import { useNow } from "../text/now";
import { absolute, relative } from "../text/time";

/** Pairs of a word and what is so, for the head of a drawer. Those without a value are left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([word, value]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function When({ at, otherwise = text.time.never }: { at: string | null | undefined; otherwise?: string }) {
  const now = useNow();
  if (!at) return <span className="dimmed">{otherwise}</span>;
  return (
    <time dateTime={at} title={absolute(at)}>
      {relative(at, now)}
    </time>
  );
}

/** A dot and a word: never colour alone. */
export function Online({ row }: { row: { is_online: boolean; last_seen_at: string | null } }) {
  const now = useNow();
  const words = row.is_online
    ? text.common.online
    : row.last_seen_at
      ? text.common.offlineSince(relative(row.last_seen_at, now))
      : text.common.neverSeen;
  return <Status isGood={row.is_online} words={words} />;
}

export function Status({ isGood, words, isBad = false }: { isGood: boolean; words: string; isBad?: boolean }) {
  return (
    <span className={`status ${isGood ? "good" : isBad ? "bad" : "off"}`}>
      <span className="dot" aria-hidden="true" />
      {words}
    </span>
  );
}

type Linked = "sites" | "groups" | "resources" | "actors" | "clients" | "gateways";

export function ObjectLink({ kind, object }: { kind: Linked; object: Named }) {
  return (
    <Link href={`/${kind}/${object.id}`} className="link">
      {object.name || text.common.unnamed}
    </Link>
  );
}

const PEEKED = 3;

/** The first few names, and how many more there are. */
export function Peek({ kind, objects, none }: { kind: Linked; objects: readonly Named[]; none: ReactNode }) {
  if (objects.length === 0) return <>{none}</>;
  const more = objects.length - PEEKED;
  return (
    <span className="peek">
      {objects.slice(0, PEEKED).map((object, index) => (
        <span key={object.id}>
          {index > 0 && ", "}
          <ObjectLink kind={kind} object={object} />
        </span>
      ))}
      {more > 0 && ` ${text.common.more(more)}`}
    </span>
  );
}
