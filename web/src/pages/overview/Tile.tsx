import { Link } from "wouter";
import { iconOf, pathOf, type PageName } from "../../app/pages";
import { Icon } from "../../parts/Icon";
import { text } from "../../text";

interface Props {
  page: PageName;
  count: number | undefined;
  rows?: readonly { is_online: boolean }[] | undefined;
}

/** How many there are, and how many of them are online where all of them are known. */
export function Tile({ page, count, rows }: Props) {
  const isWhole = rows !== undefined && rows.length === count;
  return (
    <li>
      <Link href={pathOf(page)} className="tile">
        <span className="tile-name">
          <Icon name={iconOf(page)} /> {text.nav[page]}
        </span>
        <span className="tile-count">{count?.toLocaleString(text.language) ?? "–"}</span>
        <span className="dimmed small">
          {isWhole && text.overview.online(rows.filter((row) => row.is_online).length, rows.length)}
        </span>
      </Link>
    </li>
  );
}
