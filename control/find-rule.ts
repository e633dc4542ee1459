import { insertAudit } from "../db/audit.ts";
import type { Queryable } from "../db/pool.ts";
import { findRule as selectRule, type RuleRow } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import { isId } from "./show-job.ts";

/** The rule with this id. Throws WrongUse. */
export async function findRule(db: Queryable, ruleId: string): Promise<RuleRow> {
  const rule = isId(ruleId) ? await selectRule(db, ruleId) : null;
  if (rule === null) throw new WrongUse(`there is no rule ${ruleId}`, "casparian rule list shows the rules with their ids");
  return rule;
}

/** Enters in the audit trail what was done to a rule, with the rule as it is or was. */
export async function auditRule(tx: Queryable, actor: string, action: string, rule: RuleRow): Promise<void> {
  const { ruleId, pattern, pluginName: plugin, source, priority, tag, tagged } = rule;
  const detail = { pattern, plugin, source, priority, tag, tagged };
  await insertAudit(tx, { actor, action, subject: `rule ${ruleId}`, detail });
}
