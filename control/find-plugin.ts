import { listPlugins, type PluginSummary } from "../db/plugin.ts";
import type { Queryable } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import { closest } from "../domain/suggest.ts";

/** All versions of a plugin, newest first; at least one. Throws WrongUse that names the nearest one. */
export async function findPlugin(db: Queryable, name: string): Promise<readonly [PluginSummary, ...PluginSummary[]]> {
  const plugins = await listPlugins(db, null);
  const [newest, ...older] = plugins.filter((plugin) => plugin.name === name);
  if (newest !== undefined) return [newest, ...older];
  const names = [...new Set(plugins.map((plugin) => plugin.name))];
  const near = closest(name, names);
  throw new WrongUse(
    `no plugin "${name}" is published`,
    near !== null
      ? `Did you mean ${near}?`
      : `${names.length === 0 ? "" : `Published: ${names.join(", ")}. `}Publish one: casparian plugin publish FILE`,
  );
}

/** One version of a plugin, or the active one where none is given. Throws WrongUse that names the versions. */
export async function findPluginVersion(db: Queryable, name: string, version?: string): Promise<PluginSummary> {
  const versions = await findPlugin(db, name);
  const found = versions.find((plugin) => (version === undefined ? plugin.state === "ACTIVE" : plugin.version === version));
  if (found !== undefined) return found;
  const list = versions.map((plugin) => plugin.version).join(", ");
  if (version === undefined)
    throw new WrongUse(`no version of ${name} is active`, `Activate one of ${list}: casparian plugin activate ${name} VERSION`);
  throw new WrongUse(`plugin ${name} has no version ${version}`, `Versions: ${list}`);
}
