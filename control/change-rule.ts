import { transaction } from "../db/pool.ts";
import { deleteRule, setRuleEnabled, type RuleRow } from "../db/routing-rule.ts";
import { backfillRule, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import { auditRule, findRule } from "./find-rule.ts";

export type RuleChange = "remove" | "enable" | "disable";

/** Removes, enables or disables a rule; returns it as it was. Doing so twice is fine, but a removed rule is unknown. Throws WrongUse. */
export async function changeRule({ db, actor }: ControlContext, ruleId: string, change: RuleChange): Promise<RuleRow> {
  return transaction(db, async (tx) => {
    const rule = await findRule(tx, ruleId);
    if (change === "remove") await deleteRule(tx, ruleId);
    else if (rule.enabled !== (change === "enable")) await setRuleEnabled(tx, ruleId, change === "enable");
    else return rule;
    await auditRule(tx, actor, `rule.${change}`, rule);
    return rule;
  });
}

export interface EnabledRule {
  /** As it is now, or would be with `dryRun`. */
  readonly rule: RuleRow;
  readonly dryRun: boolean;
  /** What of the files on record the rule takes. */
  readonly backlog: Backlog;
}

/** Enables a rule and counts what of the record it takes; with `backfill` that is queued as well. Throws WrongUse. */
export async function enableRule(
  context: ControlContext,
  request: { readonly ruleId: string; readonly backfill: boolean; readonly dryRun: boolean },
  options: Omit<BackfillOptions, "insert"> = {},
): Promise<EnabledRule> {
  const { ruleId, dryRun } = request;
  const before = dryRun ? await findRule(context.db, ruleId) : await changeRule(context, ruleId, "enable");
  const rule = { ...before, enabled: true };
  const backlog = await backfillRule(context, rule, { ...options, insert: request.backfill && !dryRun });
  return { rule, dryRun, backlog };
}
