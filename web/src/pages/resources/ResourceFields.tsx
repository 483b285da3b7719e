import { SegmentedControl, Select, TextInput } from "@mantine/core";
import { useForm } from "../../parts/form";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { ProblemAlert } from "../../parts/ProblemAlert";
import type { ResourceType } from "../../api/types";
import { text } from "../../text";
import type { Draft } from "./draft";
import { letsNothingThrough } from "./filters";
import { TrafficFields } from "./TrafficFields";

const OFFERED: readonly ResourceType[] = ["dns", "ip", "cidr", "internet"];
const FIELDS = ["name", "type", "address", "address_description", "ip_stack", "filters", "site_ids", "connections"];

interface Props {
  form: ReturnType<typeof useForm<Draft>>;
  isNew: boolean;
}

export function ResourceFields({ form, isNew }: Props) {
  const { values, set } = form;
  const { type } = values;
  const isPool = type === "static_device_pool";

  return (
    <>
      <ProblemAlert problem={form.problem} shown={FIELDS} />
      {!isPool && (
        <div className="field">
          <span className="field-label" id="resource-type">
            {text.resources.type}
          </span>
          <SegmentedControl
            fullWidth
            aria-labelledby="resource-type"
            data={OFFERED.map((value) => ({ value, label: text.resources.types[value] }))}
            value={type}
            onChange={(value) => {
              set("type", value);
            }}
          />
          {form.error("type") && <p className="field-error">{form.error("type")}</p>}
        </div>
      )}
      {!isPool && type !== "internet" && (
        <TextInput
          label={text.resources.address}
          description={text.resources.addressHelp[type]}
          placeholder={text.resources.placeholder[type]}
          required
          data-autofocus={isNew || undefined}
          autoCapitalize="off"
          spellCheck={false}
          {...form.input("address")}
        />
      )}
      <TextInput
        label={text.resources.name}
        description={isPool || type === "internet" ? undefined : text.resources.nameHelp}
        placeholder={values.address}
        required={isPool || type === "internet"}
        {...form.input("name")}
      />
      {!isPool && (
        <>
          <ObjectSelect
            kind="sites"
            label={text.resources.site}
            description={text.resources.siteHelp}
            value={values.site}
            onChange={(site) => {
              set("site", site);
            }}
            isRequired
            error={form.error("site_ids", "connections")}
          />
          <TextInput label={text.resources.description} {...form.input("address_description")} />
        </>
      )}
      {type === "dns" && (
        <Select
          label={text.resources.ipStack}
          data={Object.entries(text.resources.ipStacks).map(([value, label]) => ({ value, label }))}
          value={values.ip_stack}
          onChange={(value) => {
            if (value) set("ip_stack", value as Draft["ip_stack"]);
          }}
          allowDeselect={false}
          error={form.error("ip_stack")}
          comboboxProps={{ zIndex: 500 }}
        />
      )}
      <TrafficFields
        traffic={values.traffic}
        onChange={(traffic) => {
          set("traffic", traffic);
        }}
        error={letsNothingThrough(values.traffic) ? text.resources.nothing : form.error("filters")}
      />
    </>
  );
}
