import { fileURLToPath } from "node:url";
import { ensureEnvironment, standardEnvironment } from "../bridge/environments.ts";
import { ensureTools } from "../services/tools.ts";
import { benchLog } from "./log.ts";

/** A Python with pandas and pyarrow, the same that plugins get, for the scripts that we are compared with. */
export async function benchPython(): Promise<string> {
  const stateDir = fileURLToPath(new URL("../.casparian", import.meta.url));
  const { uv, python: interpreter } = await ensureTools({ stateDir, log: benchLog });
  const signal = new AbortController().signal;
  const build = { environment: standardEnvironment(), root: `${stateDir}/environments`, uv, interpreter, signal, log: benchLog };
  const { python } = await ensureEnvironment({ ...build, onProgress: () => {} });
  return python;
}
