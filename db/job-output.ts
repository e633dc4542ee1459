import type { ContractColumn, RejectedRows } from "../domain/contract.ts";
import type { SinkMode } from "../domain/topic.ts";
import { prepared, type Queryable } from "./pool.ts";

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
  /** Set aside, by the contract or by the plugin. */
  readonly rowsQuarantined: number;
  readonly rowsReadBack: number;
  readonly sizeBytes: number;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly staged: Readonly<Record<string, string | number>>;
  /** Where the rows are, or were to be. */
  readonly target: string;
}

/** Selects a LedgerEntry from `cf_job_output o`. */
export const ledgerColumns = `o.output_name as output, o.sink_uri as uri, o.mode, o.rows_sent::float8 as "rowsSent",
  o.rows_received::float8 as "rowsReceived", o.rows_written::float8 as "rowsWritten", o.rows_quarantined::float8 as "rowsQuarantined",
  o.rows_read_back::float8 as "rowsReadBack", o.size_bytes::float8 as "sizeBytes", o.columns, o.staged, o.target`;

/** What goes into the ledger of an output beside what its sink has staged. */
export interface StagedEntry extends LedgerEntry {
  /** The contract that was in force; null for none. */
  readonly contractId: string | null;
  /** The columns as the plugin yielded them. */
  readonly givenColumns: readonly ContractColumn[];
  /** What the contract's columns become with the commit; null where they stay. */
  readonly nextColumns: readonly ContractColumn[] | null;
  readonly rejected: RejectedRows;
}

/**
 * Records what an attempt has staged, and that it has, if it is still the job's present attempt; false where another has taken over
 * (then nothing is recorded, and the caller discards what it staged).
 */
export async function recordStaged(
  db: Queryable,
  job: { readonly id: string; readonly attempt: number; readonly fileVersionId: string; readonly pluginId: string },
  entries: readonly StagedEntry[],
  peakMemoryBytes: number | null,
): Promise<boolean> {
  const { rowCount } = await db.query(
    prepared(
      `with present as (
         select id, replay_of from cf_processing_job where id = $1 and attempt = $2 and state = 'RUNNING' for update
       ), output as (
         insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state,
           rows_sent, rows_received, rows_written, rows_quarantined, rows_read_back, size_bytes, columns, staged, target,
           contract_id, given_columns, next_columns, replay_of)
         select present.id, $2, e.output, $3, $4, e.uri, e.mode, 'STAGED',
           e."rowsSent", e."rowsReceived", e."rowsWritten", e."rowsQuarantined", e."rowsReadBack", e."sizeBytes", e.columns, e.staged, e.target,
           e."contractId", e."givenColumns", e."nextColumns", present.replay_of
         from present, jsonb_to_recordset($5::jsonb) as e (output text, uri text, mode text, "rowsSent" bigint, "rowsReceived" bigint,
           "rowsWritten" bigint, "rowsQuarantined" bigint, "rowsReadBack" bigint, "sizeBytes" bigint, columns jsonb, staged jsonb, target text,
           "contractId" bigint, "givenColumns" jsonb, "nextColumns" jsonb)
       ), attempt as (
         update cf_job_attempt a set outcome = 'STAGED', finished_at = now(), peak_memory_bytes = $6
         from present where a.job_id = present.id and a.attempt = $2
       )
       select from present`,
      [
        job.id,
        job.attempt,
        job.fileVersionId,
        job.pluginId,
        JSON.stringify(entries.map((entry) => ({ ...entry, rejected: undefined }))),
        peakMemoryBytes,
      ],
    ),
  );
  return rowCount === 1;
}

/** What an attempt has staged and not yet committed. */
export async function stagedOutputs(db: Queryable, jobId: string, attempt: number): Promise<readonly LedgerEntry[]> {
  const { rows } = await db.query<LedgerEntry>(
    prepared(`select ${ledgerColumns} from cf_job_output o where job_id = $1 and attempt = $2 and state = 'STAGED' order by output_name`, [
      jobId,
      attempt,
    ]),
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

/** What a committed result means for its output's contract: nothing where its columns make no version of one. */
export interface OutputColumns {
  readonly plugin: string;
  readonly output: string;
  /** The contract that was in force; null for none. */
  readonly contractId: string | null;
  readonly givenColumns: readonly ContractColumn[];
  readonly nextColumns: readonly ContractColumn[] | null;
}

/**
 * Marks everything that the attempt staged as visible, what it set aside as quarantined and what it replayed as such, and attempt and job as
 * ended; returns the job's state, and the columns of results that widen a contract or whose output has none, by output. The record refuses a
 * ledger that does not balance, a second result, and a row that passes a second replay.
 */
export async function recordCommitted(
  db: Queryable,
  jobId: string,
  attempt: number,
): Promise<{ readonly state: "COMPLETED" | "PARTIAL"; readonly columns: readonly OutputColumns[] }> {
  const { rows } = await db.query<{ state: "COMPLETED" | "PARTIAL"; columns: readonly OutputColumns[] }>(
    prepared(
      `with output as (
         update cf_job_output set state = 'COMMITTED', committed_at = now() where job_id = $1 and attempt = $2 and state = 'STAGED'
         returning output_name, rows_quarantined, contract_id, given_columns, next_columns
       ), attempt as (
         update cf_job_attempt set outcome = 'COMMITTED', finished_at = now() where job_id = $1 and attempt = $2
       ), quarantine as (
         update cf_quarantine set state = 'QUARANTINED', quarantined_at = now() where job_id = $1 and attempt = $2
       ), replayed as (
         update cf_replayed_row set state = 'COMMITTED' where job_id = $1 and attempt = $2 returning reasons
       )
       update cf_processing_job j
       set state = case when exists (select from output where rows_quarantined > 0) or exists (select from replayed where reasons is not null)
           then 'PARTIAL' else 'COMPLETED' end,
         finished_at = now(), error_code = null, error_message = null, error_hint = null
       where id = $1
       returning state, (
         select coalesce(jsonb_agg(jsonb_build_object('plugin', j.plugin_name, 'output', o.output_name, 'contractId', o.contract_id::text,
           'givenColumns', o.given_columns, 'nextColumns', o.next_columns) order by o.output_name), '[]')
         from output o
         where o.given_columns is not null and (o.next_columns is not null or not exists (
           select from cf_contract c where c.plugin_name = j.plugin_name and c.output_name = o.output_name))) as columns`,
      [jobId, attempt],
    ),
  );
  return rows[0]!;
}

/** Marks everything that the attempt staged as removed; rows that it set aside go with it, and what it replayed is as before. */
export async function markDiscarded(db: Queryable, jobId: string, attempt: number): Promise<void> {
  await db.query(
    `with discarded as (
       update cf_job_output set state = 'DISCARDED' where job_id = $1 and attempt = $2 and state = 'STAGED' returning output_name
     ), pieces as (
       delete from cf_quarantine_piece p using discarded d where p.job_id = $1 and p.attempt = $2 and p.output_name = d.output_name
     ), replayed as (
       delete from cf_replayed_row where job_id = $1 and attempt = $2 and state = 'STAGED'
     )
     delete from cf_quarantine q using discarded d where q.job_id = $1 and q.attempt = $2 and q.output_name = d.output_name`,
    [jobId, attempt],
  );
}
