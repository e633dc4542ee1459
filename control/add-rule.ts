import { insertAudit } from "../db/audit.ts";
import { transaction } from "../db/pool.ts";
import { activeRules, findSameRule, insertRule, updateRule, type RuleRow } from "../db/routing-rule.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { checkPattern } from "../domain/route.ts";
import { backfill } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { findSource } from "./find-source.ts";

export interface AddRuleRequest {
  readonly pattern: string;
  readonly plugin: string;
  /** All sources unless given. */
  readonly source?: string | undefined;
  readonly priority?: number | undefined;
  readonly tag?: string | undefined;
  /** Whether files on record that match and have no job get one. */
  readonly backfill: boolean;
}

export interface AddedRule {
  readonly outcome: "added" | "changed" | "unchanged";
  readonly rule: RuleRow;
  /** Files on record that the plugin's active version takes by this rule and has not had yet. */
  readonly matchingFiles: number;
  /** Of these, those that were queued now. */
  readonly backfilled: number;
}

/** Sends files that match to a plugin. The same rule again is fine; another priority or tag changes it. Throws WrongUse. */
export async function addRule({ db, actor }: ControlContext, request: AddRuleRequest): Promise<AddedRule> {
  try {
    checkPattern(request.pattern);
  } catch (error) {
    throw new WrongUse(`"${request.pattern}" is not a pattern: ${messageOf(error)}`, "Give a glob such as '*.csv' or 'vendors/**/*.csv'");
  }
  return transaction(db, async (tx) => {
    const [plugin] = await findPlugin(tx, request.plugin);
    const source = request.source === undefined ? null : await findSource(tx, request.source);
    const wanted = {
      pattern: request.pattern,
      pluginName: plugin.name,
      sourceId: source?.id ?? null,
      priority: request.priority ?? 0,
      tag: request.tag ?? null,
    };
    const outcome = await store(tx, request, wanted);
    const rule = await findSameRule(tx, wanted);
    if (rule === null) throw new WrongUse("the rule was removed by somebody else at this moment", "Add it again");
    if (outcome !== "unchanged") {
      const detail = { pattern: rule.pattern, plugin: rule.pluginName, source: rule.source, priority: rule.priority, tag: rule.tag };
      await insertAudit(tx, { actor, action: outcome === "added" ? "rule.add" : "rule.change", subject: `rule ${rule.ruleId}`, detail });
    }
    const active = (await activeRules(tx)).filter((candidate) => candidate.ruleId === rule.ruleId);
    const pluginId = active[0]?.pluginId;
    const matchingFiles = pluginId === undefined ? 0 : await backfill(tx, { pluginId, rules: active, insert: request.backfill });
    return { outcome, rule, matchingFiles, backfilled: request.backfill ? matchingFiles : 0 };
  });
}

async function store(
  tx: Parameters<typeof insertRule>[0],
  request: AddRuleRequest,
  wanted: Parameters<typeof insertRule>[1],
): Promise<AddedRule["outcome"]> {
  if ((await insertRule(tx, wanted)) !== null) return "added";
  const existing = await findSameRule(tx, wanted);
  if (existing === null) return "unchanged";
  const priority = request.priority ?? existing.priority;
  const tag = request.tag ?? existing.tag;
  if (priority === existing.priority && tag === existing.tag) return "unchanged";
  await updateRule(tx, existing.ruleId, priority, tag);
  return "changed";
}
