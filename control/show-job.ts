import { attemptsOf, listJobs, logOf, outputsOf, type AttemptRow, type JobRow, type LogRow, type OutputRow } from "../db/job-history.ts";
import { findVersion, type VersionRow } from "../db/history.ts";
import type { Queryable } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import { fileVersionWorkflowId } from "../workflows/names.ts";
import type { ControlContext } from "./context.ts";

export type { LogRow } from "../db/job-history.ts";

export interface JobDetail {
  readonly job: JobRow;
  readonly version: VersionRow;
  readonly attempts: readonly AttemptRow[];
  /** The ledger of every attempt. */
  readonly outputs: readonly OutputRow[];
  /** Jobs that replay, or have replayed, rows that it set aside; the newest first. */
  readonly replays: readonly JobRow[];
  /** Its workflow's id in Temporal. */
  readonly workflowId: string;
}

/** All that the record says of a job. Throws WrongUse for an unknown id. */
export async function showJob({ db }: ControlContext, jobId: string): Promise<JobDetail> {
  const job = await findJob(db, jobId);
  const version = (await findVersion(db, job.fileVersionId))!;
  return {
    job,
    version,
    attempts: await attemptsOf(db, jobId),
    outputs: await outputsOf(db, [jobId]),
    replays: await listJobs(db, { replayOf: [jobId], limit: 1_000 }),
    workflowId: fileVersionWorkflowId(job.fileVersionId),
  };
}

export const logStreams = ["stdout", "stderr", "log", "traceback", "notice"] as const;

/** What a job's plugin wrote. Throws WrongUse for an unknown job, attempt or stream. */
export async function readJobLog(
  { db }: ControlContext,
  jobId: string,
  filter: { readonly attempt?: number | undefined; readonly stream?: string | undefined },
): Promise<{ readonly job: JobRow; readonly entries: readonly LogRow[] }> {
  const job = await findJob(db, jobId);
  if (filter.attempt !== undefined && (filter.attempt < 1 || filter.attempt > job.attempt)) {
    throw new WrongUse(
      `job ${jobId} has no attempt ${filter.attempt}`,
      job.attempt === 0 ? "It has not begun yet" : `Its attempts: 1 to ${job.attempt}`,
    );
  }
  if (filter.stream !== undefined && !logStreams.some((stream) => stream === filter.stream)) {
    throw new WrongUse(`there is no stream "${filter.stream}"`, `Streams: ${logStreams.join(", ")}`);
  }
  return { job, entries: await logOf(db, jobId, filter) };
}

/** Throws WrongUse for what is not the id of a job. */
export async function findJob(db: Queryable, jobId: string): Promise<JobRow> {
  const [job] = isId(jobId) ? await listJobs(db, { ids: [jobId], limit: 1 }) : [];
  if (job === undefined) throw new WrongUse(`there is no job ${jobId}`, "casparian jobs list shows the jobs with their ids");
  return job;
}

/** Ids count from 1 and have 64 bits in the record. */
export function isId(text: string): boolean {
  return /^[1-9]\d{0,17}$/.test(text);
}
