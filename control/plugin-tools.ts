import type { PythonSearch } from "../bridge/pythons.ts";

/** What it takes to read a plugin, to lock it, and to build its environment. */
export interface PluginTools {
  readonly uv: string;
  /** The interpreter for plugins that ask for no other. */
  readonly python: string;
  /** Where others are looked for; nowhere unless given. */
  readonly pythons?: PythonSearch | undefined;
  /** Whether packages without a wheel may be built. */
  readonly allowBuilds?: boolean | undefined;
}
