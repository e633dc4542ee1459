import { requireSignature, requireWhole, type TrustedKeys } from "../bridge/artifact.ts";
import { hasEnvironment } from "../bridge/environments.ts";
import type { PluginPool } from "../bridge/pool.ts";
import type { PythonSearch } from "../bridge/pythons.ts";
import { runnerOfPlugin } from "../db/plugin-runner.ts";
import { activePlugins, loadArtifact } from "../db/plugin.ts";
import { grantsOf } from "../db/plugin-grant.ts";
import type { Database } from "../db/pool.ts";
import { activeRules } from "../db/routing-rule.ts";
import { listSources } from "../db/source-root.ts";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

export interface WarmOptions {
  readonly db: Database;
  readonly pool: Pick<PluginPool, "warm">;
  readonly environmentRoot: string;
  readonly interpreter: string;
  /** Where other interpreters are looked for. */
  readonly pythons?: PythonSearch | undefined;
  readonly scratchRoot: string;
  /** Where copies of contents are shown to plugins, and those of archives' members. */
  readonly inputRoots: readonly string[];
  /** Of each job, as it will be asked for. */
  readonly memoryBytes: number;
  readonly trust: { readonly keys: () => TrustedKeys; readonly requireSignature: boolean };
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Starts the warm parents of active plugins, those with the latest jobs first, as far as there is room, so that a worker's first files are as
 * quick as the others. Only where the environment is built already. Returns how many were started; what can't be started is left to its
 * first job, which tells why.
 */
export async function warmPlugins(options: WarmOptions): Promise<number> {
  const { db, pool, log, signal } = options;
  let started = 0;
  for (const { id, name } of await activePlugins(db)) {
    if (signal.aborted) break;
    try {
      // Its files go elsewhere.
      if ((await runnerOfPlugin(db, name)) !== null) continue;
      const artifact = await loadArtifact(db, id);
      requireWhole(artifact);
      requireSignature(artifact, options.trust.keys(), options.trust.requireSignature);
      const { environmentRoot: root, interpreter, pythons } = options;
      const place = { environment: artifact.environment, root, interpreter, pythons };
      const python = await hasEnvironment(place);
      if (python === null) continue;
      const { artifactHash, sourceCode, folder, manifest } = artifact;
      const plugin = { name, artifactHash, sourceCode, folder, defaultOutput: manifest.topic, process: manifest.process };
      const inputRoots = [...(await foldersOf(options, name)), ...options.inputRoots];
      const grants = await grantsOf(db, name);
      if (await pool.warm({ plugin, python, inputRoots, scratchRoot: options.scratchRoot, memoryBytes: options.memoryBytes, grants }))
        started += 1;
    } catch (error) {
      log.debug("a plugin was not warmed", { plugin: name, reason: messageOf(error) });
    }
  }
  if (started > 0) log.debug("plugins are warm", { plugins: started });
  return started;
}

/** The folders of the sources whose files can come to the plugin. */
async function foldersOf({ db }: WarmOptions, plugin: string): Promise<readonly string[]> {
  const [rules, sources] = await Promise.all([activeRules(db), listSources(db)]);
  // A rule that leads from a tag takes files of any source that gives it.
  const wanted = rules.filter(({ pluginName }) => pluginName === plugin).map(({ sourceId }) => sourceId);
  return sources
    .filter(({ id, state }) => state === "ACTIVE" && wanted.some((sourceId) => (sourceId ?? id) === id))
    .map(({ path }) => path);
}
