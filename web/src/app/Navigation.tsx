import { Link } from "wouter";
import { Icon } from "../parts/Icon";
import { text } from "../text";
import { iconOf, NAVIGATION, pathOf, type PageName } from "./pages";

export function Navigation({ current, onChoose }: { current: PageName | null; onChoose?: () => void }) {
  return (
    <nav aria-label={text.nav.label} className="navigation">
      {NAVIGATION.map(({ title, pages }) => (
        <div key={pages[0]} className="nav-group">
          {title && <div className="nav-title">{title}</div>}
          <ul>
            {pages.map((page) => (
              <li key={page}>
                <Link
                  href={pathOf(page)}
                  className={page === current ? "nav-link current" : "nav-link"}
                  aria-current={page === current ? "page" : undefined}
                  onClick={onChoose}
                >
                  <Icon name={iconOf(page)} />
                  {text.nav[page]}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
