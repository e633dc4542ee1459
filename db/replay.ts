import type { ContractVersion, RejectionReason } from "../domain/contract.ts";
import type { SinkMode } from "../domain/topic.ts";
import type { Queryable } from "./pool.ts";

/** An output of a job that has set rows aside, as a replay needs it. */
export interface ReplayableOutput {
  readonly jobId: string;
  /** That committed it. */
  readonly attempt: number;
  readonly output: string;
  readonly uri: string;
  readonly mode: SinkMode;
  /** The job whose result has taken its place; null where it stands. */
  readonly replacedBy: string | null;
  /** The contract that refused them; null where only the plugin itself has set rows aside. */
  readonly contractId: string | null;
  /** Rows that are in quarantine still. */
  readonly rowsOpen: number;
  /** Of these, the ones that the plugin itself has set aside. */
  readonly rowsByPlugin: number;
  /** And those that a contract refused and of which only the text is kept. */
  readonly rowsAsText: number;
}

/** SQL: whether row `q` of the quarantine has passed a replay. */
export const hasPassed = "exists (select from cf_replayed_row r where r.row_id = q.id and r.state = 'COMMITTED' and r.reasons is null)";

/** The outputs of some jobs that have rows in quarantine, passed or not, by job and name. */
export async function replayableOutputs(db: Queryable, jobIds: readonly string[]): Promise<readonly ReplayableOutput[]> {
  const { rows } = await db.query<ReplayableOutput>(
    `select o.job_id as "jobId", o.attempt, o.output_name as output, o.sink_uri as uri, o.mode, o.replaced_by as "replacedBy",
       o.contract_id as "contractId", count(q.id)::float8 as "rowsOpen",
       count(q.id) filter (where q.origin = 'PLUGIN')::float8 as "rowsByPlugin",
       count(q.id) filter (where q.origin = 'CONTRACT' and q.piece is null)::float8 as "rowsAsText"
     from cf_job_output o
     left join cf_quarantine q on q.job_id = o.job_id and q.attempt = o.attempt and q.output_name = o.output_name and not ${hasPassed}
     where o.job_id = any ($1::bigint[]) and o.state = 'COMMITTED' and o.rows_quarantined > 0 and o.replay_of is null
     group by o.job_id, o.attempt, o.output_name order by o.job_id, o.output_name`,
    [jobIds],
  );
  return rows;
}

type OutputKey = Pick<ReplayableOutput, "jobId" | "attempt" | "output">;

/** A row that is in quarantine still and kept as it came. */
export interface OpenRow {
  readonly id: string;
  readonly piece: number;
  /** Its place among all rows of the piece, from 0. */
  readonly position: number;
  readonly reasons: readonly RejectionReason[];
}

/** By piece and place. */
export async function openRows(db: Queryable, { jobId, attempt, output }: OutputKey): Promise<readonly OpenRow[]> {
  const { rows } = await db.query<OpenRow>(
    `select q.id, q.piece, q.position, q.reasons from (
       select id, piece, reasons, row_number() over (partition by piece order by cf_quarantine.row_number)::int - 1 as position
       from cf_quarantine where job_id = $1 and attempt = $2 and output_name = $3 and piece is not null
     ) q where not ${hasPassed} order by q.piece, q.position`,
    [jobId, attempt, output],
  );
  return rows;
}

/** Some of the pieces of an output's rows; piece 0 is the schema. */
export async function loadPieces(
  db: Queryable,
  { jobId, attempt, output }: OutputKey,
  pieces: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const { rows } = await db.query<{ piece: number; arrow: Buffer }>(
    `select piece, arrow from cf_quarantine_piece where job_id = $1 and attempt = $2 and output_name = $3 and piece = any ($4::int[])`,
    [jobId, attempt, output, pieces],
  );
  return new Map(rows.map(({ piece, arrow }) => [piece, arrow]));
}

/** The contracts under which rows of an output were written: by its job, and by replays of it. */
export async function contractsBefore(db: Queryable, { jobId, output }: OutputKey): Promise<readonly ContractVersion[]> {
  const { rows } = await db.query<ContractVersion>(
    `select c.id, c.plugin_name as plugin, c.output_name as output, c.version, c.state, c.columns, c.policy, c.rows_max::float8 as "rowsMax",
       c.share_max as "shareMax"
     from cf_contract c where c.id in (
       select o.contract_id from cf_job_output o
       where (o.job_id = $1 or o.job_id in (select id from cf_processing_job where replay_of = $1)) and o.output_name = $2 and o.state = 'COMMITTED')`,
    [jobId, output],
  );
  return rows;
}

/** What became of a row in a replay; reasons where it was refused again. */
export interface ReplayedRow {
  readonly id: string;
  readonly reasons: readonly RejectionReason[] | null;
}

/** Notes it, as staged. Belongs into the transaction that records what the replay has staged. */
export async function insertReplayed(
  tx: Queryable,
  job: { readonly id: string; readonly attempt: number },
  replayed: readonly ReplayedRow[],
): Promise<void> {
  await tx.query(
    `insert into cf_replayed_row (job_id, attempt, row_id, reasons)
     select $1, $2, r.row_id, r.reasons from unnest($3::bigint[], $4::jsonb[]) as r (row_id, reasons)`,
    [job.id, job.attempt, replayed.map(({ id }) => id), replayed.map(({ reasons }) => reasons && JSON.stringify(reasons))],
  );
}

/** What lost attempts of a replay have noted. */
export async function forgetStagedReplays(tx: Queryable, jobId: string): Promise<void> {
  await tx.query("delete from cf_replayed_row where job_id = $1 and state = 'STAGED'", [jobId]);
}

export interface ReplayCount {
  readonly output: string;
  readonly passed: number;
  readonly refused: number;
  /** Rows that have passed another replay meanwhile. */
  readonly twice: number;
}

/** What an attempt of a replay has noted, by output. */
export async function countReplayed(tx: Queryable, jobId: string, attempt: number): Promise<readonly ReplayCount[]> {
  const { rows } = await tx.query<ReplayCount>(
    `select q.output_name as output, count(*) filter (where mine.reasons is null)::float8 as passed,
       count(mine.reasons)::float8 as refused,
       count(*) filter (where mine.reasons is null and exists (
         select from cf_replayed_row r where r.row_id = q.id and r.state = 'COMMITTED' and r.reasons is null and r.job_id <> $1))::float8 as twice
     from cf_replayed_row mine join cf_quarantine q on q.id = mine.row_id
     where mine.job_id = $1 and mine.attempt = $2 group by q.output_name`,
    [jobId, attempt],
  );
  return rows;
}

/** Makes a replay of a job, unless one of it is under way; returns the id of either. The job is locked and has set rows aside. */
export async function insertReplayJob(tx: Queryable, jobId: string): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into cf_processing_job (file_version_id, plugin_id, plugin_name, priority, replay_of)
     select file_version_id, plugin_id, plugin_name, priority, id from cf_processing_job where id = $1
     on conflict (replay_of) where replay_of is not null and state in ('QUEUED', 'RUNNING', 'HELD') do nothing returning id`,
    [jobId],
  );
  if (rows[0] !== undefined) return { id: rows[0].id, isNew: true };
  return { id: (await replayUnderWay(tx, jobId))!, isNew: false };
}

/** The replay of a job that has not ended; null where there is none. */
export async function replayUnderWay(db: Queryable, jobId: string): Promise<string | null> {
  const { rows } = await db.query<{ id: string }>(
    "select id from cf_processing_job where replay_of = $1 and state in ('QUEUED', 'RUNNING', 'HELD')",
    [jobId],
  );
  return rows[0]?.id ?? null;
}
