import { insertAudit } from "../db/audit.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { activeRules, deleteRule, findRule, setRuleEnabled, type RuleRow } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import { backfill, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";

export type RuleChange = "remove" | "enable" | "disable";

/** Removes, enables or disables a rule; returns it as it was. Doing so twice is fine, but a removed rule is unknown. Throws WrongUse. */
export async function changeRule({ db, actor }: ControlContext, ruleId: string, change: RuleChange): Promise<RuleRow> {
  return transaction(db, async (tx) => {
    const rule = await requireRule(tx, ruleId);
    if (change === "remove") await deleteRule(tx, ruleId);
    else if (rule.enabled !== (change === "enable")) await setRuleEnabled(tx, ruleId, change === "enable");
    else return rule;
    const { pattern, pluginName: plugin, source, priority, tag, tagged } = rule;
    const detail = { pattern, plugin, source, priority, tag, tagged };
    await insertAudit(tx, { actor, action: `rule.${change}`, subject: `rule ${ruleId}`, detail });
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
  const before = dryRun ? await requireRule(context.db, ruleId) : await changeRule(context, ruleId, "enable");
  const rule = { ...before, enabled: true };
  const others = (await activeRules(context.db)).filter((candidate) => candidate.ruleId !== ruleId);
  const backlog = await backfill(context, { rules: [...others, rule], rule }, { ...options, insert: request.backfill && !dryRun });
  return { rule, dryRun, backlog };
}

async function requireRule(db: Queryable, ruleId: string): Promise<RuleRow> {
  const rule = /^\d{1,18}$/.test(ruleId) ? await findRule(db, ruleId) : null;
  if (rule === null) throw new WrongUse(`there is no rule ${ruleId}`, "casparian rule list shows the rules with their ids");
  return rule;
}
