import type { RoutingRule } from "../domain/route.ts";
import { prepared, type Queryable } from "./pool.ts";

export type RuleOrigin = "OPERATOR" | "MANIFEST";

/** A rule as lists show it. */
export interface RuleRow extends ActiveRule {
  /** Null for a rule that is for all sources. */
  readonly source: string | null;
  /** `MANIFEST`: wired by publishing the plugin, and replaced with its next version. */
  readonly origin: RuleOrigin;
  readonly createdAt: Date;
}

/** A rule as routing needs it. */
export interface ActiveRule extends RoutingRule {
  /** The version that takes the files; null for a rule that only gives a tag. */
  readonly activeVersion: string | null;
}

/** The enabled rules that do something: their plugin has an active artifact, or they give a tag. */
export async function activeRules(db: Queryable): Promise<readonly ActiveRule[]> {
  const { rows } = await db.query<ActiveRule>(
    prepared(
      `select ${ruleColumns} from cf_routing_rule r left join cf_plugin_manifest p on p.name = r.plugin_name and p.state = 'ACTIVE'
       where r.enabled and (p.id is not null or r.tag is not null) order by r.id`,
      [],
    ),
  );
  return rows;
}

/** Every rule, the most urgent first. */
export async function listRules(db: Queryable): Promise<readonly RuleRow[]> {
  const { rows } = await db.query<RuleRow>(`${selectRules} order by r.priority desc, r.id`);
  return rows;
}

export async function findRule(db: Queryable, ruleId: string): Promise<RuleRow | null> {
  const { rows } = await db.query<RuleRow>(`${selectRules} where r.id = $1`, [ruleId]);
  return rows[0] ?? null;
}

/** The rule with just this pattern, plugin, source and wanted tag, or where it names no plugin with just this tag; there is one at most. */
export async function findSameRule(db: Queryable, rule: NewRule): Promise<RuleRow | null> {
  const { rows } = await db.query<RuleRow>(
    `${selectRules}
     where r.pattern = $1 and r.plugin_name is not distinct from $2 and r.source_id is not distinct from $3
       and r.tagged is not distinct from $4 and (r.plugin_name is not null or r.tag = $5)`,
    [rule.pattern, rule.pluginName, rule.sourceId, rule.tagged ?? null, rule.tag],
  );
  return rows[0] ?? null;
}

const ruleColumns = `
  r.id as "ruleId", r.pattern, r.tagged, r.source_id as "sourceId", r.plugin_name as "pluginName", p.id as "pluginId", r.tag,
  r.priority, r.enabled, p.version as "activeVersion"`;

const selectRules = `
  select ${ruleColumns}, s.name as source, r.origin, r.created_at as "createdAt"
  from cf_routing_rule r
  left join cf_source_root s on s.id = r.source_id
  left join cf_plugin_manifest p on p.name = r.plugin_name and p.state = 'ACTIVE'`;

export interface NewRule extends Pick<RoutingRule, "pattern" | "pluginName" | "sourceId" | "priority" | "tag"> {
  readonly tagged?: RoutingRule["tagged"];
}

/** Adds an operator's rule and returns its id; null where `findSameRule` has one. */
export async function insertRule(db: Queryable, rule: NewRule): Promise<string | null> {
  const { rows } = await db.query<{ id: string }>(
    `insert into cf_routing_rule (pattern, plugin_name, source_id, priority, tag, tagged) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing returning id`,
    [rule.pattern, rule.pluginName, rule.sourceId, rule.priority, rule.tag, rule.tagged ?? null],
  );
  return rows[0]?.id ?? null;
}

/** Changes a rule's priority and tag, which makes it an operator's own. */
export async function updateRule(db: Queryable, ruleId: string, priority: number, tag: string | null): Promise<void> {
  await db.query("update cf_routing_rule set priority = $2, tag = $3, origin = 'OPERATOR' where id = $1", [ruleId, priority, tag]);
}

export async function setRuleEnabled(db: Queryable, ruleId: string, enabled: boolean): Promise<void> {
  await db.query("update cf_routing_rule set enabled = $2 where id = $1", [ruleId, enabled]);
}

export async function deleteRule(db: Queryable, ruleId: string): Promise<void> {
  await db.query("delete from cf_routing_rule where id = $1", [ruleId]);
}

/** Removes the rules that are for this source only, and returns how many. */
export async function deleteRulesOfSource(db: Queryable, sourceId: string): Promise<number> {
  const { rowCount } = await db.query("delete from cf_routing_rule where source_id = $1", [sourceId]);
  return rowCount ?? 0;
}

/** Makes the rules of a plugin's manifest those of these patterns. A rule that stays keeps its state; operators' rules are not touched. */
export async function replaceManifestRules(
  db: Queryable,
  pluginName: string,
  patterns: readonly string[],
): Promise<{ readonly added: readonly string[]; readonly removed: readonly string[] }> {
  const removed = await db.query<{ pattern: string }>(
    `delete from cf_routing_rule where plugin_name = $1 and origin = 'MANIFEST' and pattern <> all($2::text[]) returning pattern`,
    [pluginName, patterns],
  );
  const added = await db.query<{ pattern: string }>(
    `insert into cf_routing_rule (pattern, plugin_name, origin) select pattern, $1, 'MANIFEST' from unnest($2::text[]) as pattern
     on conflict do nothing returning pattern`,
    [pluginName, patterns],
  );
  return { added: added.rows.map((row) => row.pattern), removed: removed.rows.map((row) => row.pattern) };
}
