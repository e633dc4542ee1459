import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { Worker, type NativeConnection } from "@temporalio/worker";
import type { Dispatcher } from "../activities/dispatch.ts";
import { membersFolder } from "../activities/archive-input.ts";
import { createJobActivities } from "../activities/job.ts";
import { createPace } from "../activities/pace.ts";
import { createPlanActivities } from "../activities/plan.ts";
import { createReplayFilesActivities } from "../activities/replay-files.ts";
import { createRequestScanActivities } from "../activities/request-scan.ts";
import { createScanActivities } from "../activities/scan.ts";
import { createVersionOf } from "../activities/version-of.ts";
import { waitingMax } from "../activities/wait-for-runner.ts";
import { environmentRoot } from "../bridge/environment-store.ts";
import { createPluginPool } from "../bridge/pool.ts";
import { sandboxCapabilities } from "../bridge/sandbox.ts";
import { watchTrustedKeys } from "../bridge/trusted-keys.ts";
import { pluginLimits, type Settings } from "../config/settings.ts";
import { findSource } from "../db/source-root.ts";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { createScoutThreads } from "../scout/threads.ts";
import type { Sinks } from "../sinks/registry.ts";
import { viewsFolder, type SnapshotStore } from "../snapshots/store.ts";
import { taskQueueOf } from "../workflows/names.ts";
import { ownFolder } from "./own-folder.ts";
import { startListening } from "./listen-for-runners.ts";
import { requestScan } from "./request-scan.ts";
import { warmPlugins } from "./warm-plugins.ts";
import type { Services } from "./services.ts";

export interface WorkerOptions {
  readonly settings: Settings;
  readonly services: Services;
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly sinks: Sinks;
  readonly store: SnapshotStore;
  readonly dispatch: Dispatcher["dispatch"];
  readonly log: Log;
}

/** How long a stopping worker lets activities finish by themselves before it cancels them; they are taken up by the next worker. */
const graceTime = "500 ms";

/**
 * Starts the worker of this process, which asks the common queue and that of each of its groups; `stack` stops it and its plugin
 * processes. Resolves when it polls; `ended` settles when it no longer does so on one of them.
 */
export async function startWorker(options: WorkerOptions, stack: AsyncDisposableStack): Promise<{ readonly ended: Promise<void> }> {
  const activities = await createActivities(options, stack);
  const polling: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];
  stack.defer(async () => {
    for (const { worker } of polling) if (worker.getState() === "RUNNING") worker.shutdown();
    await Promise.allSettled(polling.map(({ ended }) => ended));
  });
  for (const group of [null, ...options.settings.worker.groups]) {
    const worker = await createWorker(options, taskQueueOf(group), activities);
    polling.push({ worker, ended: worker.run() });
  }
  return { ended: Promise.race(polling.map(({ ended }) => ended)) };
}

/** The workers of one process share its activities, and with them the bound on plugins that run at once. */
async function createWorker(
  { settings, services, connection }: WorkerOptions,
  taskQueue: string,
  activities: Awaited<ReturnType<typeof createActivities>>,
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: services.temporal.namespace,
    taskQueue,
    identity: `${hostname()}:${process.pid}`,
    workflowBundle: { codePath: services.bundlePath },
    activities,
    // What runs here is bounded by turns; others wait for a runner, or run there.
    maxConcurrentActivityTaskExecutions: settings.worker.concurrency + (settings.runners.listen === undefined ? 0 : 2 * waitingMax),
    maxConcurrentLocalActivityExecutions: 12,
    // Workflows are short: a small cache is enough and keeps memory flat.
    maxCachedWorkflows: 200,
    // Cancellation arrives with a heartbeat's answer, which the SDK would otherwise ask for only every eight seconds.
    maxHeartbeatThrottleInterval: "2 seconds",
    shutdownGraceTime: graceTime,
    shutdownForceTime: "8 seconds",
  });
}

async function createActivities({ settings, services, client, sinks, store, dispatch, log }: WorkerOptions, stack: AsyncDisposableStack) {
  const { db, tools } = services;
  void tellWalls(settings, tools.python, log);
  const root = environmentRoot(settings.stateDir);
  const pythons = { uv: tools.uv, mayDownload: settings.python.allowDownloads };
  const pace = createPace();
  const versionOf = createVersionOf(db);
  const pool = createPluginPool({
    maxParents: settings.worker.concurrency + 2,
    requireSandbox: settings.plugins.sandbox === "require",
    memoryBytesMax: settings.worker.warmMemoryMb * 1024 * 1024,
    transport: settings.bridge.transport,
    log,
  });
  const runners = await startListening(settings, log, stack);
  const threads = createScoutThreads();
  stack.defer(() => threads.close());
  const scratchRoot = await ownFolder(join(settings.stateDir, "scratch"));
  const views = await ownFolder(viewsFolder(store));
  const trust = { keys: watchTrustedKeys(settings.plugins.trustedKeys), requireSignature: settings.plugins.requireSignature };
  const limits = pluginLimits(settings.limits);
  const stopping = new AbortController();
  await mkdir(membersFolder(scratchRoot), { recursive: true });
  const inputRoots = [views, membersFolder(scratchRoot)];
  const means = {
    db,
    pool,
    environmentRoot: root,
    interpreter: tools.python,
    pythons,
    scratchRoot,
    inputRoots,
    memoryBytes: limits.memoryBytes,
    trust,
    log,
  };
  const warming = warmPlugins({ ...means, signal: stopping.signal }).catch((error: unknown) =>
    log.debug("plugins were not warmed", { reason: messageOf(error) }),
  );
  stack.defer(async () => {
    stopping.abort();
    await pool.close();
    await warming;
  });
  return {
    ...createPlanActivities({ db, environmentRoot: root, interpreter: tools.python, pythons, pace, versionOf }),
    ...createJobActivities({
      db,
      log,
      sinks,
      pool,
      runners,
      worker: `${hostname()}:${process.pid}`,
      concurrency: settings.worker.concurrency,
      pace,
      versionOf,
      environmentRoot: root,
      environmentBytesMax: settings.python.environmentsMbMax * 1e6,
      scratchRoot,
      snapshots: { store, views },
      trust,
      uv: tools.uv,
      interpreter: tools.python,
      pythons,
      allowBuilds: settings.python.allowBuilds,
      limits,
      async requestScan(sourceName, relPath) {
        const source = await findSource(db, sourceName);
        if (source !== null) await requestScan(client, source, [relPath]);
      },
    }),
    ...createReplayFilesActivities({ db, log, dispatch }),
    ...createScanActivities({ db, log, dispatch, store, threads }),
    ...createRequestScanActivities({ db, requestScan: (source) => requestScan(client, source, "due") }),
  };
}

/** Says once what this machine's kernel lacks to keep plugins in. */
async function tellWalls({ plugins }: Settings, python: string, log: Log): Promise<void> {
  try {
    const { lacking } = await sandboxCapabilities({ python });
    for (const { message, remedy } of lacking) log.warn(`the sandbox lacks a wall here: ${message}`, { remedy });
    if (lacking.length > 0 && plugins.sandbox === "require") log.error('every job is refused here, because sandbox = "require"');
  } catch (error) {
    log.warn("what keeps a plugin in can't be found out here", { reason: messageOf(error) });
  }
}
