import type { ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

interface Props {
  icon: IconName;
  title: string;
  words: string;
  action?: ReactNode;
}

/** Says what belongs here, and what to do next. */
export function EmptyState({ icon, title, words, action }: Props) {
  return (
    <div className="empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      <p>{words}</p>
      {action}
    </div>
  );
}
