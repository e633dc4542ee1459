import { transaction, type Queryable } from "../db/pool.ts";
import { findSameRule, insertRule, listRules, updateRule, type NewRule, type RuleRow } from "../db/routing-rule.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { checkPattern } from "../domain/route.ts";
import { backfillRule, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { auditRule } from "./find-rule.ts";
import { findSource } from "./find-source.ts";

export interface AddRuleRequest {
  /** Every file unless given, which a rule by tag need not. */
  readonly pattern?: string | undefined;
  /** The plugin that gets the files; without one, the rule only gives its tag. */
  readonly plugin?: string | undefined;
  /** Only files that have this tag by another rule. */
  readonly tagged?: string | undefined;
  /** All sources unless given. */
  readonly source?: string | undefined;
  readonly priority?: number | undefined;
  /** The files that match get it. */
  readonly tag?: string | undefined;
  /** Whether files on record that match and have no job get one. */
  readonly backfill: boolean;
  /** Whether nothing is changed, and only told what would be. */
  readonly dryRun?: boolean | undefined;
}

export interface AddedRule {
  /** With `dryRun`, what it would be. */
  readonly outcome: "added" | "changed" | "unchanged";
  readonly dryRun: boolean;
  /** Without an id where it was not added. */
  readonly rule: Omit<RuleRow, "ruleId"> & { readonly ruleId: string | null };
  /** What of the files on record the rule takes. */
  readonly backlog: Backlog;
  /** Sentences: what a person should know about this rule. */
  readonly warnings: readonly string[];
}

/**
 * Sends files that match to a plugin, or gives them a tag, or both. The same rule again is fine; another priority or tag changes it.
 * Throws WrongUse.
 */
export async function addRule(
  context: ControlContext,
  request: AddRuleRequest,
  options: Omit<BackfillOptions, "insert"> = {},
): Promise<AddedRule> {
  const { db, actor } = context;
  checkRequest(request);
  const dryRun = request.dryRun === true;
  const { outcome, rule } = await transaction(db, async (tx) => {
    const wanted = await resolve(tx, request);
    if (dryRun) return preview(tx, request, wanted);
    const stored = await store(tx, request, wanted);
    const added = await findSameRule(tx, wanted);
    if (added === null) throw new WrongUse("the rule was removed by somebody else at this moment", "Add it again");
    if (stored !== "unchanged") await auditRule(tx, actor, stored === "added" ? "rule.add" : "rule.change", added);
    return { outcome: stored, rule: added };
  });
  // The files are looked at after the rule is there, so that none falls between the two, and nobody waits for a transaction meanwhile.
  const backlog = await backfillRule(context, rule, { ...options, insert: request.backfill && !dryRun });
  const shown = { ...rule, ruleId: rule.ruleId === unborn ? null : rule.ruleId };
  return { outcome, dryRun, rule: shown, backlog, warnings: await warn(db, rule) };
}

/** The younger of two equal rules goes last, and one that is not there yet is the youngest. */
const unborn = String(Number.MAX_SAFE_INTEGER);

function checkRequest({ pattern, plugin, tagged, tag }: AddRuleRequest): void {
  const example = "casparian rule add '*.csv' PLUGIN, or rule add '*.csv' --tag TAG";
  if (pattern === undefined && tagged === undefined) throw new WrongUse("the rule has no pattern", example);
  try {
    if (pattern !== undefined) checkPattern(pattern);
  } catch (error) {
    throw new WrongUse(`"${pattern}" is not a pattern: ${messageOf(error)}`, "Give a glob such as '*.csv' or 'vendors/**/*.csv'");
  }
  for (const word of [tag, tagged]) {
    if (word === undefined || /^[\p{L}\p{N}][\p{L}\p{N}_.:-]{0,62}$/u.test(word)) continue;
    throw new WrongUse(`"${word}" can't be a tag`, "Use letters, digits, _, -, . and :, 63 at most, with a letter or digit first");
  }
  if (tagged !== undefined && (plugin === undefined || tag !== undefined)) {
    throw new WrongUse(
      "a rule by tag sends files to a plugin and gives no tag itself",
      `casparian rule add --tagged ${tagged} PLUGIN; give further tags by patterns`,
    );
  }
  if (plugin === undefined && tag === undefined) throw new WrongUse("the rule names neither a plugin nor a tag to give", example);
}

async function resolve(tx: Queryable, request: AddRuleRequest): Promise<NewRule & { readonly source: string | null }> {
  const plugin = request.plugin === undefined ? null : (await findPlugin(tx, request.plugin))[0].name;
  const source = request.source === undefined ? null : await findSource(tx, request.source);
  return {
    pattern: request.pattern ?? "*",
    pluginName: plugin,
    tagged: request.tagged ?? null,
    sourceId: source?.id ?? null,
    source: source?.name ?? null,
    priority: request.priority ?? 0,
    tag: request.tag ?? null,
  };
}

type Stored = Pick<AddedRule, "outcome"> & { readonly rule: RuleRow };

async function preview(tx: Queryable, request: AddRuleRequest, wanted: Awaited<ReturnType<typeof resolve>>): Promise<Stored> {
  const existing = await findSameRule(tx, wanted);
  if (existing !== null) {
    const { priority, tag } = changed(request, existing);
    return { outcome: isSame(existing, { priority, tag }) ? "unchanged" : "changed", rule: { ...existing, priority, tag } };
  }
  const active =
    wanted.pluginName === null ? undefined : (await findPlugin(tx, wanted.pluginName)).find((version) => version.state === "ACTIVE");
  const rule: RuleRow = {
    ...wanted,
    tagged: wanted.tagged ?? null,
    ruleId: unborn,
    pluginId: active?.id ?? null,
    activeVersion: active?.version ?? null,
    enabled: true,
    origin: "OPERATOR",
    createdAt: new Date(),
  };
  return { outcome: "added", rule };
}

async function store(tx: Queryable, request: AddRuleRequest, wanted: NewRule): Promise<AddedRule["outcome"]> {
  if ((await insertRule(tx, wanted)) !== null) return "added";
  const existing = await findSameRule(tx, wanted);
  if (existing === null) return "unchanged";
  const { priority, tag } = changed(request, existing);
  if (isSame(existing, { priority, tag })) return "unchanged";
  await updateRule(tx, existing.ruleId, priority, tag);
  return "changed";
}

function changed(request: AddRuleRequest, existing: RuleRow): Pick<RuleRow, "priority" | "tag"> {
  return { priority: request.priority ?? existing.priority, tag: request.tag ?? existing.tag };
}

function isSame(a: Pick<RuleRow, "priority" | "tag">, b: Pick<RuleRow, "priority" | "tag">): boolean {
  return a.priority === b.priority && a.tag === b.tag;
}

async function warn(db: Queryable, rule: RuleRow): Promise<readonly string[]> {
  const rules = (await listRules(db)).filter((other) => other.enabled);
  const warnings: string[] = [];
  if (!rule.enabled) warnings.push(`it is disabled: casparian rule enable ${rule.ruleId}`);
  if (rule.pluginName !== null && rule.pluginId === null) {
    warnings.push(`no version of ${rule.pluginName} is active: casparian plugin activate ${rule.pluginName} VERSION`);
  }
  if (rule.tagged !== null && !rules.some((other) => other.tag === rule.tagged)) {
    warnings.push(`no rule gives the tag ${rule.tagged} yet: casparian rule add PATTERN --tag ${rule.tagged}`);
  }
  if (rule.pluginName === null && !rules.some((other) => other.tagged === rule.tag)) {
    warnings.push(`no plugin takes files by the tag ${rule.tag} yet: casparian rule add --tagged ${rule.tag} PLUGIN`);
  }
  return warnings;
}
