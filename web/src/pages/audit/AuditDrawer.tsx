import type { AuditEntry } from "../../api/types";
import { Facts } from "../../parts/facts";
import { ObjectDrawer } from "../../parts/ObjectDrawer";
import { Section } from "../../parts/Section";
import { text } from "../../text";
import { absolute } from "../../text/time";
import { differences } from "./diff";
import { actionWords } from "./words";

export function AuditDrawer({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const changed = differences(entry.before, entry.after);
  return (
    <ObjectDrawer
      kind={text.audit.entry}
      title={`${entry.object?.name ?? ""} ${actionWords(entry.action)}`.trim()}
      onClose={onClose}
    >
      <Facts
        facts={[
          [text.audit.at, absolute(entry.at)],
          [text.audit.who, [entry.actor?.name ?? text.audit.system, entry.actor?.email].filter(Boolean).join(", ")],
          [text.audit.from, entry.from],
          [text.audit.object, entry.object && `${entry.object.type} ${entry.object.name ?? entry.object.id}`],
        ]}
      />
      <Section title={text.audit.diff}>
        {changed.length === 0 ? (
          <p className="dimmed">{text.audit.noDiff}</p>
        ) : (
          <table className="diff">
            <thead>
              <tr>
                <th scope="col">{text.audit.field}</th>
                <th scope="col">{text.audit.before}</th>
                <th scope="col">{text.audit.after}</th>
              </tr>
            </thead>
            <tbody>
              {changed.map(({ field, before, after }) => (
                <tr key={field}>
                  <th scope="row">{field}</th>
                  <td>{before && <del>{before}</del>}</td>
                  <td>{after && <ins>{after}</ins>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Section>
    </ObjectDrawer>
  );
}
