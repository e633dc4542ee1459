import type { RejectedRow, RejectedRows, RejectionReason } from "../domain/contract.ts";
import type { Queryable } from "./pool.ts";

/** Rows are written in statements of about so many characters. */
const charactersMax = 4_000_000;

/** Writes the rows that one output of an attempt has set aside, as staged. Belongs into the transaction that records the output. */
export async function insertRejected(
  tx: Queryable,
  job: { readonly id: string; readonly attempt: number; readonly fileVersionId: string; readonly pluginId: string },
  output: string,
  { rows, pieces }: RejectedRows,
): Promise<void> {
  await insertPieces(tx, job, output, pieces);
  for (let from = 0; from < rows.length;) {
    let to = from;
    for (let characters = 0; to < rows.length && characters < charactersMax; to += 1) characters += rows[to]!.raw.length + 200;
    const batch = rows.slice(from, to);
    await tx.query(
      `insert into cf_quarantine (job_id, attempt, output_name, file_version_id, plugin_id, origin, row_number, file_position, reasons, raw, piece)
       select $1, $2, $3, $4, $5, r.origin, r.row_number, r.file_position, r.reasons, r.raw, r.piece
       from unnest($6::text[], $7::bigint[], $8::text[], $9::jsonb[], $10::json[], $11::int[])
         as r (origin, row_number, file_position, reasons, raw, piece)`,
      [
        job.id,
        job.attempt,
        output,
        job.fileVersionId,
        job.pluginId,
        batch.map((row) => row.origin),
        batch.map((row) => row.rowNumber),
        batch.map((row) => row.filePosition),
        batch.map((row) => JSON.stringify(row.reasons)),
        batch.map((row) => row.raw),
        batch.map((row) => row.piece),
      ],
    );
    from = to;
  }
}

/** PostgreSQL compresses them itself. */
async function insertPieces(
  tx: Queryable,
  job: { readonly id: string; readonly attempt: number },
  output: string,
  pieces: RejectedRows["pieces"],
): Promise<void> {
  for (let from = 0; from < pieces.length;) {
    let to = from;
    for (let bytes = 0; to < pieces.length && bytes < charactersMax; to += 1) bytes += pieces[to]!.length + 200;
    await tx.query(
      `insert into cf_quarantine_piece (job_id, attempt, output_name, piece, arrow)
       select $1, $2, $3, $4 + p.place - 1, p.arrow from unnest($5::bytea[]) with ordinality as p (arrow, place)`,
      [job.id, job.attempt, output, from, pieces.slice(from, to).map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.length))],
    );
    from = to;
  }
}

/** How many rows each output of an attempt has set aside, counted in the record. */
export async function countRejected(tx: Queryable, jobId: string, attempt: number): Promise<ReadonlyMap<string, number>> {
  const { rows } = await tx.query<{ output: string; count: number }>(
    "select output_name as output, count(*)::float8 as count from cf_quarantine where job_id = $1 and attempt = $2 group by 1",
    [jobId, attempt],
  );
  return new Map(rows.map(({ output, count }) => [output, count]));
}

/** A row that was set aside, with its lineage. */
export interface QuarantineRow {
  readonly id: string;
  readonly jobId: string;
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly output: string;
  readonly source: string;
  readonly path: string;
  readonly fileVersionId: string;
  readonly sequence: number;
  readonly contentHash: string;
  /** The contract that was in force; null for none. */
  readonly contractVersion: number | null;
  readonly origin: RejectedRow["origin"];
  readonly rowNumber: number;
  readonly filePosition: string | null;
  /** Of the last replay that refused it, if one did, else as it was set aside. */
  readonly reasons: readonly RejectionReason[];
  /** JSON, to the letter. */
  readonly raw: string;
  readonly quarantinedAt: Date;
  /** The replay by which it came to the others; null while it is set aside. */
  readonly replayedBy: string | null;
  /** The last replay that refused it again; null where none did. */
  readonly refusedBy: string | null;
}

export interface QuarantineFilter {
  readonly jobId?: string | undefined;
  readonly plugin?: string | undefined;
  readonly output?: string | undefined;
  /** Also rows of results whose place others have taken. */
  readonly withReplaced?: boolean | undefined;
  /** Only rows that have passed no replay. */
  readonly isOpen?: boolean | undefined;
}

const from = `from cf_quarantine q
  join cf_job_output o on o.job_id = q.job_id and o.attempt = q.attempt and o.output_name = q.output_name
  join cf_plugin_manifest p on p.id = q.plugin_id
  join cf_file_version v on v.id = q.file_version_id
  join cf_file_location l on l.id = v.location_id
  join cf_source_root s on s.id = l.source_id
  left join cf_contract c on c.id = o.contract_id
  left join lateral (
    select job_id, reasons from cf_replayed_row r where r.row_id = q.id and r.state = 'COMMITTED' order by r.job_id desc limit 1) replay on true
  where q.state = 'QUARANTINED' and ($1::bigint is null or q.job_id = $1) and ($2::text is null or p.name = $2)
    and ($3::text is null or q.output_name = $3) and ($4 or o.replaced_at is null)
    and (not $5 or replay.job_id is null or replay.reasons is not null)`;

const valuesOf = ({ jobId, plugin, output, withReplaced, isOpen }: QuarantineFilter): unknown[] => [
  jobId ?? null,
  plugin ?? null,
  output ?? null,
  withReplaced ?? false,
  isOpen ?? false,
];

/** Rows that were set aside, in the order of their ids, after the one that is given. */
export async function listRejected(
  db: Queryable,
  filter: QuarantineFilter,
  page: { readonly afterId?: string | undefined; readonly limit: number },
): Promise<readonly QuarantineRow[]> {
  const { rows } = await db.query<QuarantineRow>(
    `select q.id, q.job_id as "jobId", p.name as plugin, p.version as "pluginVersion", q.output_name as output, s.name as source, l.rel_path as path,
       v.id as "fileVersionId", v.sequence, v.content_hash as "contentHash", c.version as "contractVersion", q.origin,
       q.row_number::float8 as "rowNumber", q.file_position as "filePosition", coalesce(replay.reasons, q.reasons) as reasons, q.raw::text as raw,
       q.quarantined_at as "quarantinedAt", case when replay.reasons is null then replay.job_id end as "replayedBy",
       case when replay.reasons is not null then replay.job_id end as "refusedBy"
     ${from} and q.id > $6 order by q.id limit $7`,
    [...valuesOf(filter), page.afterId ?? "0", page.limit],
  );
  return rows;
}

/** What one output of one job has set aside. */
export interface QuarantineSummary {
  readonly jobId: string;
  readonly plugin: string;
  readonly output: string;
  readonly path: string;
  readonly rows: number;
  /** Of these, the ones that have passed no replay. */
  readonly rowsOpen: number;
  readonly rowsReceived: number;
  readonly quarantinedAt: Date;
  /** That of the first row that has passed no replay, else of the first one, as an example. */
  readonly reason: RejectionReason;
}

/** By job and output, newest first. */
export async function summarizeRejected(db: Queryable, filter: QuarantineFilter, limit: number): Promise<readonly QuarantineSummary[]> {
  const { rows } = await db.query<QuarantineSummary>(
    `select q.job_id as "jobId", p.name as plugin, q.output_name as output, l.rel_path as path, count(*)::float8 as rows,
       count(*) filter (where replay.job_id is null or replay.reasons is not null)::float8 as "rowsOpen", max(o.rows_received)::float8 as "rowsReceived", max(o.committed_at) as "quarantinedAt",
       (array_agg(coalesce(replay.reasons, q.reasons) -> 0 order by replay.job_id is not null and replay.reasons is null, q.id))[1] as reason
     ${from} group by q.job_id, p.name, q.output_name, l.rel_path order by q.job_id desc, q.output_name limit $6`,
    [...valuesOf(filter), limit],
  );
  return rows;
}
