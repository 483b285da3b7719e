import { text } from "../../text";

/** An action in words; one that came later is shown as the portal calls it. */
export function actionWords(action: string): string {
  return text.audit.actions[action] ?? action.replaceAll("_", " ");
}
