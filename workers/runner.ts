import { join } from "node:path";
import { environmentRoot } from "../bridge/environment-store.ts";
import { ensureEnvironment } from "../bridge/environments.ts";
import { createPluginPool } from "../bridge/pool.ts";
import { ensureKeyPair, keyFile } from "../bridge/runner/keys.ts";
import { removeFolder } from "../bridge/scratch.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../domain/log.ts";
import { findPython } from "../services/python.ts";
import { ensureTool } from "../services/tools.ts";
import { ownFolder } from "./own-folder.ts";

export interface RunnerRequest {
  readonly settings: Settings;
  readonly connect: string;
  readonly workerKey: string;
  readonly log: Log;
  readonly onProgress: (text: string) => void;
  readonly onWelcome: () => void;
}

/** Runs plugins for a worker elsewhere until the signal is aborted: a pool and environments of its own, and neither record nor sinks. */
export async function runRunner({ settings, log, ...request }: RunnerRequest, signal: AbortSignal): Promise<void> {
  const { stateDir, python, worker } = settings;
  const [uv, { path: interpreter }, keys, { serveWorker }] = await Promise.all([
    ensureTool("uv", { stateDir, log, onProgress: request.onProgress, python: python.interpreter }),
    findPython(python.interpreter),
    ensureKeyPair(keyFile(stateDir)),
    import("../bridge/runner/serve.ts"),
  ]);
  const root = environmentRoot(stateDir);
  const bytesMax = python.environmentsMbMax * 1e6;
  const folder = await ownFolder(join(stateDir, "runner"));
  const pool = createPluginPool({
    maxParents: worker.concurrency + 2,
    requireSandbox: settings.plugins.sandbox === "require",
    memoryBytesMax: worker.warmMemoryMb * 1024 * 1024,
    transport: settings.bridge.transport,
    log,
  });
  const pythonOf: Parameters<typeof serveWorker>[0]["pythonOf"] = async (environment, jobSignal) => {
    const onProgress = (step: string) => log.info(step);
    const place = { environment, root, interpreter, pythons: { uv, mayDownload: python.allowDownloads } };
    const build = { uv, log, onProgress, bytesMax, allowBuilds: python.allowBuilds, signal: jobSignal };
    return (await ensureEnvironment({ ...place, ...build })).python;
  };
  try {
    await serveWorker({ ...request, keys, pool, pythonOf, folder, slots: worker.concurrency, log }, signal);
  } finally {
    await pool.close();
    await removeFolder(folder);
  }
}
