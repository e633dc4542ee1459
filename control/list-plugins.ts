import { listPlugins as selectPlugins, loadArtifact, type PluginSummary } from "../db/plugin.ts";
import { listRules, type RuleRow } from "../db/routing-rule.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";
import { listTopics, type TopicPlace } from "./list-topics.ts";

export type { PluginSummary } from "../db/plugin.ts";

/** Every version of every plugin: by name, newest first. */
export async function listPlugins({ db }: ControlContext): Promise<readonly PluginSummary[]> {
  return selectPlugins(db, null);
}

export interface PluginDetail {
  readonly plugin: PluginSummary;
  readonly sourceCode: string;
  readonly environment: { readonly hash: string; readonly python: string; readonly lockfile: string };
  readonly versions: readonly PluginSummary[];
  readonly rules: readonly RuleRow[];
  readonly topics: readonly TopicPlace[];
}

/** All that the record says of a plugin: of the given version, or the active one, or the newest. Throws WrongUse for an unknown one. */
export async function showPlugin(context: ControlContext, name: string, version?: string): Promise<PluginDetail> {
  const { db } = context;
  const versions = await findPlugin(db, name);
  const hasActive = versions.some((candidate) => candidate.state === "ACTIVE");
  const plugin = version === undefined && !hasActive ? versions[0] : await findPluginVersion(db, name, version);
  const { sourceCode, environment } = await loadArtifact(db, plugin.id);
  const rules = (await listRules(db)).filter((rule) => rule.pluginName === name);
  return { plugin, sourceCode, environment, versions, rules, topics: await listTopics(context, name) };
}
