import { insertDrift, type Drift } from "../db/contract.ts";
import { recordStaged, type StagedEntry } from "../db/job-output.ts";
import { saveLog, type LogEntry } from "../db/job-log.ts";
import type { JobToRun } from "../db/job.ts";
import { transaction, type Database, type Queryable } from "../db/pool.ts";
import { insertRejected } from "../db/quarantine.ts";
import { insertReplayed, type ReplayedRow } from "../db/replay.ts";
import { TransientFailure } from "../domain/failure.ts";
import type { Sinks } from "../sinks/registry.ts";

/** What an attempt has made. */
export interface Staged {
  readonly entries: readonly StagedEntry[];
  readonly drifts: readonly Drift[];
  readonly logs: readonly LogEntry[];
  /** Of the plugin; null where none ran. */
  readonly peakMemoryBytes: number | null;
  /** Rows of another job's quarantine, and what became of them. */
  readonly replayed: readonly ReplayedRow[];
}

/**
 * Records what an attempt has staged, with all that belongs to it, in one transaction. Throws TransientFailure ATTEMPT_REPLACED, with
 * everything removed, where the job was given to another worker meanwhile.
 */
export async function enterLedger(
  job: JobToRun,
  { entries, drifts, logs, peakMemoryBytes, replayed }: Staged,
  { db, sinks }: { readonly db: Database; readonly sinks: Sinks },
): Promise<{ readonly outcome: "STAGED"; readonly attempt: number }> {
  const isMore = logs.length > 0 || drifts.length > 0 || replayed.length > 0 || entries.some(({ rejected }) => rejected.rows.length > 0);
  const enter = async (tx: Queryable): Promise<boolean> => {
    if (logs.length > 0) await saveLog(tx, job.id, job.attempt, logs);
    if (!(await recordStaged(tx, job, entries, peakMemoryBytes))) return false;
    for (const { output, rejected } of entries) await insertRejected(tx, job, output, rejected);
    for (const drift of drifts) await insertDrift(tx, job, drift);
    if (replayed.length > 0) await insertReplayed(tx, job, replayed);
    return true;
  };
  const entered = await (isMore ? transaction(db, enter) : enter(db));
  if (entered) return { outcome: "STAGED", attempt: job.attempt };
  for (const entry of entries) await sinks.forUri(entry.uri).discard(entry);
  throw new TransientFailure({ code: "ATTEMPT_REPLACED", message: `attempt ${job.attempt} of job ${job.id} was given to another worker` });
}
