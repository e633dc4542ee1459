import { compileGlob } from "./glob.ts";
import { createRouter, type RoutingRule } from "./route.ts";

/** Which files on record are meant. */
export interface VersionChoice {
  readonly pluginName: string;
  /** A glob as in `glob.ts`; null for what the plugin's rules take. */
  readonly on: string | null;
}

/**
 * Whether a file is meant: by the glob, whatever the rules say, or by the enabled rules of the plugin, whichever version of it is active or whether
 * one is. `rules` are all rules.
 */
export function createChoice(
  rules: readonly RoutingRule[],
  { pluginName, on }: VersionChoice,
): (relPath: string, sourceId: string) => boolean {
  if (on !== null) return compileGlob(on);
  // A rule leads nowhere without an active version, and the version that is meant need not be it.
  const leading = rules.map((rule) => (rule.pluginName === pluginName ? { ...rule, pluginId: rule.pluginId ?? "any" } : rule));
  const router = createRouter(leading);
  return (relPath, sourceId) => router.route(relPath, sourceId).some((route) => route.pluginName === pluginName);
}
