import { insertAudit } from "../db/audit.ts";
import { transaction } from "../db/pool.ts";
import { deleteRule, findRule, setRuleEnabled, type RuleRow } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";

export type RuleChange = "remove" | "enable" | "disable";

/** Removes, enables or disables a rule; returns it as it was. Doing so twice is fine, but a removed rule is unknown. Throws WrongUse. */
export async function changeRule({ db, actor }: ControlContext, ruleId: string, change: RuleChange): Promise<RuleRow> {
  return transaction(db, async (tx) => {
    const rule = /^\d{1,18}$/.test(ruleId) ? await findRule(tx, ruleId) : null;
    if (rule === null) throw new WrongUse(`there is no rule ${ruleId}`, "casparian rule list shows the rules with their ids");
    if (change === "remove") await deleteRule(tx, ruleId);
    else if (rule.enabled !== (change === "enable")) await setRuleEnabled(tx, ruleId, change === "enable");
    else return rule;
    const detail = { pattern: rule.pattern, plugin: rule.pluginName, source: rule.source, priority: rule.priority };
    await insertAudit(tx, { actor, action: `rule.${change}`, subject: `rule ${ruleId}`, detail });
    return rule;
  });
}
