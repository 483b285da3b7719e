export const STEPS = ["site", "gateway", "resource", "policy", "client", "packet"] as const;

export type StepName = (typeof STEPS)[number];

/** What earlier steps made, by id. */
export interface Chosen {
  site: string | null;
  resource: string | null;
  actor: string | null;
}

export function stepOf(name: string | null): StepName {
  return STEPS.find((step) => step === name) ?? "site";
}
