import type { PluginTools } from "../control/plugin-tools.ts";
import { findPython } from "../services/python.ts";
import { ensureTool } from "../services/tools.ts";
import type { Shell } from "./shell.ts";

/** What it takes to read a plugin and to lock and build its environment; uv is installed where this machine has none. */
export async function findPluginTools(shell: Shell): Promise<PluginTools> {
  const { stateDir, python } = shell.settings();
  const options = {
    stateDir,
    log: shell.log,
    python: python.interpreter,
    onProgress: (text: string) => shell.terminal.progress(text),
  };
  const [uv, { path }] = await Promise.all([ensureTool("uv", options), findPython(python.interpreter)]);
  return { uv, python: path, pythons: { uv, mayDownload: python.allowDownloads }, allowBuilds: python.allowBuilds };
}
