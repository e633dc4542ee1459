import { ensureEnvironment } from "../../bridge/environments.ts";
import type { PluginEnvironment } from "../../domain/plugin.ts";
import { environmentRoot } from "./environment-root.ts";
import { quietLog } from "./quiet-log.ts";
import { testTools } from "./tools.ts";

/** The interpreter of an environment, which is built if need be. */
export async function pythonWith(environment: PluginEnvironment): Promise<string> {
  const tools = testTools();
  const { python } = await ensureEnvironment({
    environment,
    root: environmentRoot,
    uv: tools.uv,
    interpreter: tools.python,
    signal: new AbortController().signal,
    log: quietLog,
    onProgress: () => {},
  });
  return python;
}
