import { useEffect, type ReactNode } from "react";
import { text } from "../text";

/** Title of a page, also for the browser's tab and history. */
export function PageHead({ title, lead, action }: { title: string; lead?: string; action?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ${text.product}`;
  }, [title]);
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {lead && <p>{lead}</p>}
      </div>
      {action && <div className="page-action">{action}</div>}
    </header>
  );
}
