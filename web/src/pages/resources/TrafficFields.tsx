import { Checkbox, SegmentedControl, TextInput } from "@mantine/core";
import { text } from "../../text";
import type { Traffic } from "./filters";

interface Props {
  traffic: Traffic;
  onChange: (traffic: Traffic) => void;
  error?: string | undefined;
}

export function TrafficFields({ traffic, onChange, error }: Props) {
  const change = (part: Partial<Traffic>) => {
    onChange({ ...traffic, ...part });
  };
  return (
    <fieldset className="fields">
      <legend>{text.resources.filters}</legend>
      <SegmentedControl
        data={[
          { value: "all", label: text.resources.everything },
          { value: "some", label: text.resources.onlyThese },
        ]}
        aria-label={text.resources.filtersHelp}
        value={traffic.isLimited ? "some" : "all"}
        onChange={(value) => {
          const isLimited = value === "some";
          const isFirst = isLimited && !traffic.tcp && !traffic.udp && !traffic.icmp;
          change(isFirst ? { isLimited, tcp: true } : { isLimited });
        }}
      />
      {traffic.isLimited && (
        <div className="traffic">
          {(["tcp", "udp"] as const).map((protocol) => {
            const field = protocol === "tcp" ? "tcpPorts" : "udpPorts";
            return (
              <div key={protocol} className="traffic-row">
                <Checkbox
                  label={text.resources.protocols[protocol]}
                  checked={traffic[protocol]}
                  onChange={(event) => {
                    change({ [protocol]: event.currentTarget.checked });
                  }}
                />
                <TextInput
                  aria-label={text.resources.ports[protocol]}
                  placeholder={text.resources.portsHelp}
                  disabled={!traffic[protocol]}
                  value={traffic[field]}
                  onChange={(event) => {
                    change({ [field]: event.currentTarget.value });
                  }}
                />
              </div>
            );
          })}
          <Checkbox
            label={text.resources.protocols.icmp}
            checked={traffic.icmp}
            onChange={(event) => {
              change({ icmp: event.currentTarget.checked });
            }}
          />
        </div>
      )}
      {error && (
        <p className="field-error" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}
