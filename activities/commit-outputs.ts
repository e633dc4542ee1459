import { recordContracts } from "../db/contract.ts";
import { recordCommitted, type LedgerEntry } from "../db/job-output.ts";
import type { JobToRun } from "../db/job.ts";
import type { Queryable } from "../db/pool.ts";
import { countRejected } from "../db/quarantine.ts";
import { joiningStandings, pendingResults, recordReplaced, standingsOf, type Standing } from "../db/standing.ts";
import { TransientFailure } from "../domain/failure.ts";
import type { Sinks } from "../sinks/registry.ts";
import { checkReplay, rivalsOf } from "./check-replay.ts";
import { resultExists } from "./outputs.ts";
import { unbalanced } from "./unbalanced.ts";

/**
 * Makes visible what an attempt has staged, and ends the job, within a transaction that has locked it; returns the job's state. The sinks'
 * commits come before the record's, so a crash between the two leaves a result that the next call finds in place and records: sinks'
 * commits may be repeated.
 *
 * Throws TerminalFailure LEDGER_UNBALANCED, RESULT_EXISTS and what `checkReplay` does, and TransientFailure RESULT_PENDING.
 */
export async function commitOutputs(
  tx: Queryable,
  job: JobToRun,
  { entries, sinks }: { readonly entries: readonly LedgerEntry[]; readonly sinks: Sinks },
): Promise<"COMPLETED" | "PARTIAL"> {
  entries.forEach(refuseUnbalanced);
  const standings = await (job.replayOf === null ? standingsOf : joiningStandings)(tx, job.id, entries);
  if (job.replayOf === null) await refuseMissing(tx, job, entries);
  else await checkReplay(tx, job, job.replayOf, entries);
  for (const standing of standings) {
    if (standing.refusedBy !== null) throw resultExists(standing.entry, standing.refusedBy);
    await refusePending(tx, job, standing, sinks);
  }
  for (const { entry, replaces, outdatedBy } of standings) {
    const sink = sinks.forUri(entry.uri);
    await (outdatedBy === null ? sink.commit(entry, replaces) : sink.discard(entry));
  }
  const { state, columns } = await recordCommitted(tx, job.id, job.attempt);
  await recordReplaced(tx, job.id, standings);
  await recordContracts(tx, job.id, columns);
  return state;
}

/** Whether a worker died after it had made an attempt's result visible, and before the record said so. */
export async function isVisible(entries: readonly LedgerEntry[], sinks: Sinks): Promise<boolean> {
  for (const entry of entries) if (await sinks.forUri(entry.uri).isCommitted(entry)) return true;
  return false;
}

/** Such a result must be on record before another may take its place: its own job records it as soon as it is tried again. */
async function refusePending(tx: Queryable, job: JobToRun, { entry }: Standing, sinks: Sinks): Promise<void> {
  if (entry.mode === "append" && job.replayOf === null) return;
  const pending = await (job.replayOf === null ? pendingResults : rivalsOf)(tx, job.id, entry);
  if (!(await isVisible(pending, sinks))) return;
  throw new TransientFailure({
    code: "RESULT_PENDING",
    message: `another job's result for ${entry.uri} is visible and not yet on record, so the result of job ${job.id} waits for it`,
  });
}

function refuseUnbalanced(entry: LedgerEntry): void {
  const { rowsSent, rowsReceived, rowsWritten, rowsQuarantined, rowsReadBack } = entry;
  if (rowsSent === rowsReceived && rowsReceived === rowsWritten + rowsQuarantined && rowsWritten === rowsReadBack) return;
  throw unbalanced(
    entry.output,
    `the plugin sent ${rowsSent} rows, ${rowsReceived} arrived, ${rowsWritten} were written, ${rowsQuarantined} set aside, and ${rowsReadBack} are in the target`,
  );
}

/** What was set aside is counted where it is kept, too. */
async function refuseMissing(tx: Queryable, job: JobToRun, entries: readonly LedgerEntry[]): Promise<void> {
  if (entries.every(({ rowsQuarantined }) => rowsQuarantined === 0)) return;
  const kept = await countRejected(tx, job.id, job.attempt);
  for (const { output, rowsQuarantined } of entries) {
    const found = kept.get(output) ?? 0;
    if (found !== rowsQuarantined) throw unbalanced(output, `${rowsQuarantined} rows were set aside, and ${found} are in quarantine`);
  }
}
