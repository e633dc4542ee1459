import { join } from "node:path";
import { requireWhole, type TrustedKeys } from "../bridge/artifact.ts";
import { ensureEnvironment, hasEnvironment } from "../bridge/environments.ts";
import type { PluginLimits, PluginPool } from "../bridge/pool.ts";
import type { PythonSearch } from "../bridge/pythons.ts";
import type { Runners } from "../bridge/runner/listener.ts";
import { markDiscarded, stagedOutputs, type LedgerEntry } from "../db/job-output.ts";
import { endAttempt, lockJob, setJobState, type JobToRun } from "../db/job.ts";
import { runnerOfJob } from "../db/plugin-runner.ts";
import { loadArtifact, loadEnvironment } from "../db/plugin.ts";
import { transaction, type Database, type Queryable } from "../db/pool.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { JobError } from "../domain/job-error.ts";
import type { JobState } from "../domain/job-state.ts";
import type { Log } from "../domain/log.ts";
import type { Sinks } from "../sinks/registry.ts";
import { commitOutputs, isVisible } from "./commit-outputs.ts";
import { withTemporalFailures } from "./failure.ts";
import { withHeartbeat } from "./heartbeat.ts";
import type { Pace } from "./pace.ts";
import { remember } from "./remember.ts";
import { runJob, type RunContext, type RunOutcome } from "./run-job.ts";
import { waitForRunner } from "./wait-for-runner.ts";
import type { SnapshotInputs } from "./snapshot-input.ts";
import { createTurns } from "./turns.ts";
import type { VersionOf } from "./version-of.ts";

export interface JobDependencies {
  readonly db: Database;
  readonly log: Log;
  readonly sinks: Sinks;
  readonly pool: Pick<PluginPool, "run">;
  /** Who runs the plugins that are bound to a runner; without it, their jobs wait for a worker that has some. */
  readonly runners?: Runners | undefined;
  /** Who runs jobs here, for the record: `host:pid`. */
  readonly worker: string;
  readonly environmentRoot: string;
  /** Beyond which the least recently used environments are removed; undefined keeps them all. */
  readonly environmentBytesMax?: number | undefined;
  readonly scratchRoot: string;
  /** Plugins at once. */
  readonly concurrency: number;
  readonly pace: Pace;
  readonly versionOf: VersionOf;
  readonly uv: string;
  readonly interpreter: string;
  /** Where other interpreters are looked for; nowhere unless given. */
  readonly pythons?: PythonSearch | undefined;
  /** Whether packages without a wheel may be built. */
  readonly allowBuilds?: boolean | undefined;
  /** Whose plugins may run here. */
  readonly trust: { readonly keys: () => TrustedKeys; readonly requireSignature: boolean };
  /** Where copies of contents are, which plugins read rather than the files; none unless given. */
  readonly snapshots?: SnapshotInputs;
  readonly limits: PluginLimits;
  /** Asks for a scan of one path, because it was found to differ from the record. */
  readonly requestScan: (sourceName: string, relPath: string) => Promise<void>;
}

/** A workflow task lasts ten seconds; what must wait longer than this for a turn is better run outside of it. */
const quickWaitMsMax = 3_000;

interface RunPluginInput {
  readonly jobId: string;
  /** Its plugin's name. Workflows that were begun before there was one to give leave it out. */
  readonly plugin?: string;
  readonly quick: boolean;
}

/** Between two looks for a runner that a plugin is bound to, in the workflow; an activity waits beside. */
const runnerAgainMs = 30_000;

export type JobActivities = ReturnType<typeof createJobActivities>;

export function createJobActivities(deps: JobDependencies) {
  const { db, sinks, log } = deps;
  const turns = createTurns(deps.concurrency);
  const artifactOf = remember(async (pluginId: string) => {
    const artifact = await loadArtifact(db, pluginId);
    requireWhole(artifact);
    return artifact;
  });
  const environmentOf = remember((hash: string) => loadEnvironment(db, hash));

  return withTemporalFailures({
    /** Builds a locked environment on this host; nothing to do where it is built. */
    async prepareEnvironment({ environmentHash }: { readonly environmentHash: string }): Promise<void> {
      await withHeartbeat(async (signal, heartbeat) => {
        await pythonOf(environmentHash, signal, (step) => heartbeat({ step }));
      });
    },

    /**
     * Runs the job's plugin and stages what it yields. An attempt that has staged everything before is not run again. With `quick` it
     * runs within a workflow task, and gives way (TransientFailure WORKER_BUSY) where it would have to wait. A plugin that is bound to a
     * runner, which is never quick, takes a place there and none here.
     */
    async runPlugin({ jobId, plugin, quick }: RunPluginInput): Promise<RunOutcome> {
      return withHeartbeat(async (signal, heartbeat) => {
        const context: RunContext = {
          ...deps,
          signal,
          heartbeat,
          artifactOf,
          pythonOf: (environmentHash) => pythonOf(environmentHash, signal, (step) => heartbeat({ step })),
          scratchDir: join(deps.scratchRoot, `job-${jobId}`),
        };
        const runner = quick ? null : await runnerOfJob(db, jobId);
        if (runner === null) {
          const turn = { plugin: plugin ?? "", signal, ...(quick ? { waitMsMax: quickWaitMsMax } : {}) };
          return turns.take(() => runJob(jobId, context), turn);
        }
        const lease = await waitForRunner(deps.runners, runner, { signal, heartbeat, log, jobId });
        if (lease === null) return { outcome: "WAITING", againMs: runnerAgainMs };
        try {
          return await runJob(jobId, { ...context, pool: lease, pythonOf: async () => `python of runner ${runner}` });
        } finally {
          lease.release();
        }
      });
    },

    /** Makes visible what an attempt has staged, and ends the job. */
    async commitJob({ jobId, attempt }: { readonly jobId: string; readonly attempt: number }): Promise<{ readonly state: JobState }> {
      return transaction(db, async (tx) => {
        const job = await lockJob(tx, jobId);
        if (job === null) throw new TerminalFailure({ code: "UNKNOWN_JOB", message: `job ${jobId} is not in the record` });
        if (job.state !== "RUNNING" || job.attempt !== attempt) return { state: job.state };
        const entries = await stagedOutputs(tx, jobId, attempt);
        return { state: await commit(tx, job, entries) };
      });
    },

    /**
     * Ends a job without a result and removes what it staged. A job that has ended already stays as it is, and one whose result is visible
     * already, because a worker died before it was recorded, is completed.
     */
    async endJob({
      jobId,
      state,
      error,
    }: {
      readonly jobId: string;
      readonly state: "FAILED" | "CANCELLED";
      readonly error: JobError;
    }): Promise<void> {
      await transaction(db, async (tx) => {
        const job = await lockJob(tx, jobId);
        if (job === null || (job.state !== "QUEUED" && job.state !== "RUNNING")) return;
        const entries = await stagedOutputs(tx, jobId, job.attempt);
        if (await isVisible(entries, sinks)) return void (await commit(tx, job, entries));
        for (const entry of entries) await sinks.forUri(entry.uri).discard(entry);
        await markDiscarded(tx, jobId, job.attempt);
        if (job.state === "RUNNING") {
          await endAttempt(tx, jobId, job.attempt, { outcome: state, errorCode: error.code, errorMessage: error.message });
        }
        await setJobState(tx, jobId, state, error);
        log.warn(`${job.relPath} → ${job.pluginName}: ${state}: ${error.message}`, { job: jobId });
      });
    },
  });

  async function commit(tx: Queryable, job: JobToRun, entries: readonly LedgerEntry[]): Promise<"COMPLETED" | "PARTIAL"> {
    const state = await commitOutputs(tx, job, { entries, sinks });
    const aside = (rows: number): string => (rows === 0 ? "" : ` (${rows} set aside)`);
    const rows =
      entries.map((entry) => `${entry.rowsWritten} rows to ${entry.output}${aside(entry.rowsQuarantined)}`).join(", ") || "no rows";
    log.info(`${job.relPath} → ${job.pluginName}: ${rows}`, { job: job.id });
    return state;
  }

  async function pythonOf(environmentHash: string, signal: AbortSignal, onProgress: (step: string) => void): Promise<string> {
    const environment = await environmentOf(environmentHash);
    const place = { environment, root: deps.environmentRoot, interpreter: deps.interpreter, pythons: deps.pythons };
    const built = await hasEnvironment(place);
    if (built !== null) return built;
    const { python } = await ensureEnvironment({
      ...place,
      uv: deps.uv,
      signal,
      log,
      onProgress,
      bytesMax: deps.environmentBytesMax,
      allowBuilds: deps.allowBuilds,
    });
    return python;
  }
}
