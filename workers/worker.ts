import { hostname } from "node:os";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { Worker, type NativeConnection } from "@temporalio/worker";
import type { Dispatcher } from "../activities/dispatch.ts";
import { createJobActivities } from "../activities/job.ts";
import { createPace } from "../activities/pace.ts";
import { createPlanActivities } from "../activities/plan.ts";
import { createScanActivities } from "../activities/scan.ts";
import { createPluginPool } from "../bridge/pool.ts";
import { createVersionOf } from "../activities/version-of.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../domain/log.ts";
import type { Sinks } from "../sinks/registry.ts";
import { openStore } from "../snapshots/store.ts";
import { openViews } from "../snapshots/views.ts";
import { taskQueue } from "../workflows/names.ts";
import { requestScan } from "./request-scan.ts";
import { scratchFolder } from "./scratch.ts";
import type { Services } from "./services.ts";

export interface WorkerOptions {
  readonly settings: Settings;
  readonly services: Services;
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly sinks: Sinks;
  readonly dispatch: Dispatcher["dispatch"];
  readonly log: Log;
}

/** How long a stopping worker lets activities finish by themselves before it cancels them; they are taken up by the next worker. */
const graceTime = "500 ms";

/** Starts the worker of this process; `stack` stops it and its plugin processes. Resolves when it polls. */
export async function startWorker(options: WorkerOptions, stack: AsyncDisposableStack): Promise<{ readonly ended: Promise<void> }> {
  const { settings, services, connection } = options;
  const worker = await Worker.create({
    connection,
    namespace: services.temporal.namespace,
    taskQueue,
    identity: `${hostname()}:${process.pid}`,
    workflowBundle: { codePath: services.bundlePath },
    activities: await createActivities(options, stack),
    maxConcurrentActivityTaskExecutions: settings.worker.concurrency,
    maxConcurrentLocalActivityExecutions: 12,
    // Workflows are short: a small cache is enough and keeps memory flat.
    maxCachedWorkflows: 200,
    // Cancellation arrives with a heartbeat's answer, which the SDK would otherwise ask for only every eight seconds.
    maxHeartbeatThrottleInterval: "2 seconds",
    shutdownGraceTime: graceTime,
    shutdownForceTime: "8 seconds",
  });
  const ended = worker.run();
  stack.defer(async () => {
    if (worker.getState() === "RUNNING") worker.shutdown();
    await ended.catch(() => {});
  });
  return { ended };
}

async function createActivities({ settings, services, client, sinks, dispatch, log }: WorkerOptions, stack: AsyncDisposableStack) {
  const { db, tools } = services;
  const store = await openStore(settings.stateDir);
  const environmentRoot = join(settings.stateDir, "environments");
  const pace = createPace();
  const versionOf = createVersionOf(db);
  const pool = createPluginPool({ maxParents: settings.worker.concurrency + 2, log });
  stack.defer(() => pool.close());
  return {
    ...createPlanActivities({ db, environmentRoot, interpreter: tools.python, pace, versionOf }),
    ...createJobActivities({
      db,
      log,
      sinks,
      pool,
      worker: `${hostname()}:${process.pid}`,
      concurrency: settings.worker.concurrency,
      pace,
      versionOf,
      environmentRoot,
      scratchRoot: await scratchFolder(settings.stateDir),
      snapshots: { store, views: await openViews(store) },
      uv: tools.uv,
      interpreter: tools.python,
      limits: {
        seconds: settings.limits.pluginSeconds,
        memoryBytes: settings.limits.pluginMemoryMb * 1024 * 1024,
        logBytes: settings.limits.logBytes,
      },
      requestScan: (source, relPath) => requestScan(client, source, [relPath]),
    }),
    ...createScanActivities({ db, log, dispatch, store }),
  };
}
