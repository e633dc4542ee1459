import { environmentRoot, listEnvironments as listBuilt, type BuiltEnvironment } from "../bridge/environment-store.ts";
export { describePythons, listPythons } from "../bridge/pythons.ts";
import { listPlugins, type PluginSummary } from "../db/plugin.ts";
import type { ControlContext } from "./context.ts";

export interface EnvironmentStanding extends BuiltEnvironment {
  /** Versions on record that are locked to it. */
  readonly plugins: readonly Pick<PluginSummary, "name" | "version" | "state">[];
}

/** The Python environments that are built in this home, the most recently used first, with the plugins that they are for. */
export async function listEnvironments({ db }: ControlContext, stateDir: string): Promise<readonly EnvironmentStanding[]> {
  const plugins = await listPlugins(db, null);
  const built = await listBuilt(environmentRoot(stateDir));
  return built.toReversed().map((environment) => ({
    ...environment,
    plugins: plugins
      .filter(({ environmentHash }) => environmentHash === environment.hash)
      .map(({ name, version, state }) => ({ name, version, state })),
  }));
}
