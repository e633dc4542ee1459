import type { SinkMode } from "../domain/topic.ts";
import type { Queryable } from "./pool.ts";

/** One line of the ledger: what one output of one attempt has staged, and the counts at each boundary. */
export interface LedgerEntry {
  readonly output: string;
  readonly uri: string;
  readonly mode: SinkMode;
  /** As the plugin's side counted. */
  readonly rowsSent: number;
  /** As we counted while receiving. */
  readonly rowsReceived: number;
  readonly rowsWritten: number;
  readonly rowsReadBack: number;
  readonly sizeBytes: number;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly staged: Readonly<Record<string, string | number>>;
  readonly target: string;
}

/**
 * Records what an attempt has staged, if it is still the job's present attempt; false where another has taken over
 * (then nothing is recorded, and the caller discards what it staged).
 */
export async function insertStagedOutputs(
  db: Queryable,
  job: { readonly id: string; readonly attempt: number; readonly fileVersionId: string; readonly pluginId: string },
  entries: readonly LedgerEntry[],
): Promise<boolean> {
  const present = await db.query("select from cf_processing_job where id = $1 and attempt = $2 and state = 'RUNNING' for update", [
    job.id,
    job.attempt,
  ]);
  if (present.rowCount === 0) return false;
  for (const entry of entries) {
    await db.query(
      `insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state,
         rows_sent, rows_received, rows_written, rows_read_back, size_bytes, columns, staged, target)
       values ($1, $2, $3, $4, $5, $6, $7, 'STAGED', $8, $9, $10, $11, $12, $13, $14, $15)`,
      [
        job.id,
        job.attempt,
        entry.output,
        job.fileVersionId,
        job.pluginId,
        entry.uri,
        entry.mode,
        entry.rowsSent,
        entry.rowsReceived,
        entry.rowsWritten,
        entry.rowsReadBack,
        entry.sizeBytes,
        JSON.stringify(entry.columns),
        JSON.stringify(entry.staged),
        entry.target,
      ],
    );
  }
  return true;
}

/** What an attempt has staged and not yet committed. */
export async function stagedOutputs(db: Queryable, jobId: string, attempt: number): Promise<readonly LedgerEntry[]> {
  const { rows } = await db.query<LedgerEntry>(
    `select output_name as output, sink_uri as uri, mode, rows_sent::float8 as "rowsSent", rows_received::float8 as "rowsReceived",
       rows_written::float8 as "rowsWritten", rows_read_back::float8 as "rowsReadBack", size_bytes::float8 as "sizeBytes",
       columns, staged, target
     from cf_job_output where job_id = $1 and attempt = $2 and state = 'STAGED' order by output_name`,
    [jobId, attempt],
  );
  return rows;
}

/** The same for every attempt of the job but the given one: what lost attempts have left behind. */
export async function strandedOutputs(
  db: Queryable,
  jobId: string,
  attempt: number,
): Promise<readonly (LedgerEntry & { attempt: number })[]> {
  const { rows } = await db.query<{ attempt: number }>(
    "select distinct attempt from cf_job_output where job_id = $1 and attempt <> $2 and state = 'STAGED'",
    [jobId, attempt],
  );
  const stranded = await Promise.all(
    rows.map(async (row) => (await stagedOutputs(db, jobId, row.attempt)).map((entry) => ({ ...entry, attempt: row.attempt }))),
  );
  return stranded.flat();
}

/** Marks everything that the attempt staged as visible. The record refuses a ledger that does not balance and a second result. */
export async function markCommitted(db: Queryable, jobId: string, attempt: number): Promise<void> {
  await db.query(
    "update cf_job_output set state = 'COMMITTED', committed_at = now() where job_id = $1 and attempt = $2 and state = 'STAGED'",
    [jobId, attempt],
  );
}

/** Marks everything that the attempt staged as removed. */
export async function markDiscarded(db: Queryable, jobId: string, attempt: number): Promise<void> {
  await db.query("update cf_job_output set state = 'DISCARDED' where job_id = $1 and attempt = $2 and state = 'STAGED'", [jobId, attempt]);
}
