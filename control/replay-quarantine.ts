import { insertAudit } from "../db/audit.ts";
import { contractsOf } from "../db/contract.ts";
import { listJobs, type JobRow } from "../db/job-history.ts";
import { lockJob } from "../db/job.ts";
import { insertOutbox } from "../db/outbox.ts";
import { transaction } from "../db/pool.ts";
import { summarizeRejected } from "../db/quarantine.ts";
import { insertReplayJob, replayableOutputs, replayUnderWay } from "../db/replay.ts";
import { WrongUse } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { tryReplay, type ReplayTrial } from "./replay-trial.ts";
import { findJob } from "./show-job.ts";

export type { ReplayTrial } from "./replay-trial.ts";

/** Of which jobs rows are meant: of one, or of all that have rows in quarantine still. */
export interface ReplayScope {
  readonly jobId?: string | undefined;
  readonly plugin?: string | undefined;
  /** Only jobs with rows of this output. */
  readonly output?: string | undefined;
}

export interface ReplayOptions {
  /** Whether replays are queued, or only tried. */
  readonly insert: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((jobs: number, ofJobs: number) => void) | undefined;
}

/** What becomes of one job's rows in quarantine. */
export interface ReplayedJob {
  /** That set them aside. */
  readonly jobId: string;
  readonly plugin: string;
  readonly pluginVersion: string;
  /** The plugin's active version where it is another one by now; else null. */
  readonly newerVersion: string | null;
  readonly path: string;
  readonly fileVersionId: string;
  /** `queued`: a replay was; `ready`: it would be; `waiting`: one is under way; `refused`: no row would pass. */
  readonly outcome: "queued" | "ready" | "waiting" | "refused";
  /** The job that replays them; null where there is none. */
  readonly replayId: string | null;
  readonly outputs: readonly ReplayTrial[];
}

/** Jobs taken at once; the next call takes the rest. */
const jobsMax = 10_000;

/**
 * Holds rows that contracts have refused against the contracts in force now and, with `insert`, queues a job for those of each file of which
 * some pass. Running workers take them up within seconds; otherwise the next start does. Throws WrongUse for an unknown plugin or job, and for one
 * that has set nothing aside.
 */
export async function replayQuarantine(
  context: ControlContext,
  scope: ReplayScope,
  options: ReplayOptions,
): Promise<readonly ReplayedJob[]> {
  const jobs = await jobsInQuarantine(context, scope);
  const replayed: ReplayedJob[] = [];
  for (const job of jobs) {
    options.signal?.throwIfAborted();
    replayed.push(await replayOne(context, job, options));
    options.onProgress?.(replayed.length, jobs.length);
  }
  return replayed;
}

async function replayOne(context: ControlContext, job: JobRow, { insert, signal }: ReplayOptions): Promise<ReplayedJob> {
  const { db } = context;
  const contracts = await contractsOf(db, job.plugin);
  const outputs: ReplayTrial[] = [];
  for (const of of await replayableOutputs(db, [job.id])) outputs.push(await tryReplay(db, of, contracts.get(of.output), signal));
  const underWay = await replayUnderWay(db, job.id);
  const passing = outputs.some(({ rowsPassing }) => rowsPassing > 0);
  const queued = insert && passing && underWay === null ? await queue(context, job) : null;
  const outcome = underWay !== null || queued?.isNew === false ? "waiting" : queued !== null ? "queued" : passing ? "ready" : "refused";
  return {
    jobId: job.id,
    plugin: job.plugin,
    pluginVersion: job.pluginVersion,
    newerVersion: job.pluginState === "ACTIVE" ? null : await activeVersion(context, job.plugin),
    path: job.path,
    fileVersionId: job.fileVersionId,
    outcome,
    replayId: underWay ?? queued?.id ?? null,
    outputs,
  };
}

function queue({ db, actor }: ControlContext, job: JobRow): Promise<{ readonly id: string; readonly isNew: boolean }> {
  return transaction(db, async (tx) => {
    await lockJob(tx, job.id);
    const replay = await insertReplayJob(tx, job.id);
    if (!replay.isNew) return replay;
    await insertOutbox(tx, [job.fileVersionId], "RETRY");
    const detail = { path: job.path, plugin: job.plugin, version: job.pluginVersion, replay: replay.id };
    await insertAudit(tx, { actor, action: "quarantine.replay", subject: `job ${job.id}`, detail });
    return replay;
  });
}

async function activeVersion({ db }: ControlContext, plugin: string): Promise<string | null> {
  return (await findPlugin(db, plugin)).find(({ state }) => state === "ACTIVE")?.version ?? null;
}

/** The jobs that have rows in quarantine still, the oldest first; of one that is named, whatever is left of it. A replay stands for its job. */
export async function jobsInQuarantine({ db }: ControlContext, { jobId, plugin, output }: ReplayScope): Promise<readonly JobRow[]> {
  if (jobId !== undefined) {
    const named = await findJob(db, jobId);
    const job = named.replayOf === null ? named : await findJob(db, named.replayOf);
    if (job.state === "PARTIAL") return [job];
    const retry =
      job.state === "FAILED" || job.state === "CANCELLED" || job.state === "SUPERSEDED" ? `casparian jobs retry ${job.id}` : undefined;
    throw new WrongUse(
      `job ${job.id} is ${job.state} and has no rows in quarantine`,
      retry ?? "casparian quarantine list shows the jobs that have",
    );
  }
  if (plugin !== undefined) await findPlugin(db, plugin);
  const found = await summarizeRejected(db, { plugin, output, isOpen: true }, jobsMax);
  const ids = [...new Set(found.map((each) => each.jobId))];
  return ids.length === 0 ? [] : (await listJobs(db, { ids, limit: ids.length })).toReversed();
}
