import { Checkbox, SegmentedControl, Select, Switch, Textarea, TextInput } from "@mantine/core";
import { text } from "../../text";
import { type ConditionsDraft, DAYS, zones } from "./conditions";
import { conditionWords } from "./words";

interface Props {
  draft: ConditionsDraft;
  onChange: (draft: ConditionsDraft) => void;
  error?: string | undefined;
}

export function ConditionFields({ draft, onChange, error }: Props) {
  const words = text.conditions.form;
  const change = (part: Partial<ConditionsDraft>) => {
    onChange({ ...draft, ...part });
  };
  return (
    <fieldset className="fields">
      <legend>{text.policies.conditions}</legend>
      <div className="conditions">
        <p className="hint small">{words.lead}</p>
        <SegmentedControl
          data={[
            { value: "any", label: words.anywhere },
            { value: "in", label: words.onlyFrom },
            { value: "out", label: words.notFrom },
          ]}
          aria-label={text.conditions.remote_ip}
          value={draft.addresses}
          onChange={(value) => {
            change({ addresses: value });
          }}
        />
        {draft.addresses !== "any" && (
          <Textarea
            label={words.networks}
            description={words.networksHelp}
            placeholder={"203.0.113.0/24\n2001:db8::7"}
            rows={3}
            required
            value={draft.networks}
            onChange={(event) => {
              change({ networks: event.currentTarget.value });
            }}
          />
        )}
        <Checkbox
          label={words.verified}
          description={words.verifiedHelp}
          checked={draft.mustBeVerified}
          onChange={(event) => {
            change({ mustBeVerified: event.currentTarget.checked });
          }}
        />
        <Switch
          label={words.timed}
          checked={draft.isTimed}
          onChange={(event) => {
            change({ isTimed: event.currentTarget.checked });
          }}
        />
        {draft.isTimed && (
          <div className="traffic">
            <Select
              label={words.zone}
              data={zones(draft.zone)}
              value={draft.zone}
              searchable
              allowDeselect={false}
              limit={50}
              onChange={(zone) => {
                if (zone) change({ zone });
              }}
            />
            {DAYS.map((day) => (
              <div key={day} className="traffic-row">
                <span aria-hidden>{text.conditions.days[day]}</span>
                <TextInput
                  aria-label={words.hoursOf(text.conditions.days[day])}
                  placeholder={words.never}
                  value={draft.hours[day]}
                  onChange={(event) => {
                    change({ hours: { ...draft.hours, [day]: event.currentTarget.value } });
                  }}
                />
              </div>
            ))}
            <p className="hint small">{words.hoursHelp}</p>
          </div>
        )}
        {draft.others.length > 0 && <p className="hint small">{words.kept(conditionWords(draft.others))}</p>}
        {error && (
          <p className="field-error" role="alert">
            {error}
          </p>
        )}
      </div>
    </fieldset>
  );
}
