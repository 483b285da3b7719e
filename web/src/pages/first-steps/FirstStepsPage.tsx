import { useSearchParams } from "wouter";
import { PageHead } from "../../parts/PageHead";
import { text } from "../../text";
import { ClientStep } from "./ClientStep";
import { GatewayStep } from "./GatewayStep";
import { PacketStep } from "./PacketStep";
import { PolicyStep } from "./PolicyStep";
import { ResourceStep } from "./ResourceStep";
import { SiteStep } from "./SiteStep";
import { STEPS, stepOf, type Chosen, type StepName } from "./steps";

/** From nothing to the first packet. Where one is, and with what, stands in the URL. */
export default function FirstStepsPage() {
  const [params, setParams] = useSearchParams();
  const step = stepOf(params.get("step"));
  const chosen: Chosen = {
    site: params.get("site"),
    resource: params.get("resource"),
    actor: params.get("actor"),
  };

  function go(next: StepName, found: Partial<Chosen> = {}): void {
    setParams((before) => {
      const after = new URLSearchParams(before);
      after.set("step", next);
      for (const [key, value] of Object.entries(found)) {
        if (value) after.set(key, value);
      }
      return after;
    });
  }

  const at = STEPS.indexOf(step);
  return (
    <>
      <PageHead title={text.first.title} lead={text.first.lead} />
      <ol className="steps">
        {STEPS.map((name, index) => (
          <li key={name} className={index < at ? "past" : index === at ? "current" : "coming"}>
            <button
              type="button"
              aria-current={index === at ? "step" : undefined}
              onClick={() => {
                go(name);
              }}
            >
              <span className="step-number">{index + 1}</span>
              {text.first[name].title}
            </button>
          </li>
        ))}
      </ol>
      <section className="sheet padded step" aria-label={text.first[step].title}>
        <h2>{text.first[step].title}</h2>
        <p>{text.first[step].lead}</p>
        {step === "site" && (
          <SiteStep
            onDone={(site) => {
              go("gateway", { site });
            }}
          />
        )}
        {step === "gateway" && (
          <GatewayStep
            siteId={chosen.site}
            onDone={() => {
              go("resource");
            }}
            onNoSite={() => {
              go("site");
            }}
          />
        )}
        {step === "resource" && (
          <ResourceStep
            siteId={chosen.site}
            onDone={(resource) => {
              go("policy", { resource });
            }}
          />
        )}
        {step === "policy" && (
          <PolicyStep
            resourceId={chosen.resource}
            onDone={() => {
              go("client");
            }}
          />
        )}
        {step === "client" && (
          <ClientStep
            actorId={chosen.actor}
            onChoose={(actor) => {
              go("client", { actor });
            }}
            onDone={() => {
              go("packet");
            }}
          />
        )}
        {step === "packet" && <PacketStep resourceId={chosen.resource} actorId={chosen.actor} />}
      </section>
    </>
  );
}
