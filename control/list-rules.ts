import { listRules as selectRules, type RuleRow } from "../db/routing-rule.ts";
import type { ControlContext } from "./context.ts";

export type { RuleRow } from "../db/routing-rule.ts";

/** Every rule, the most urgent first. */
export async function listRules({ db }: ControlContext): Promise<readonly RuleRow[]> {
  return selectRules(db);
}
