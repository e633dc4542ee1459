import type { SinkMode } from "../domain/topic.ts";
import type { Queryable } from "./pool.ts";

/** A result that readers could see at some time, with what its sink needs to find it. */
export interface ResultRow {
  readonly plugin: string;
  readonly output: string;
  readonly jobId: string;
  readonly uri: string;
  readonly mode: SinkMode;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly staged: Readonly<Record<string, string | number>>;
  readonly target: string;
  /** Results with the same columns have the same. */
  readonly shape: string;
  /** Null while it is current. */
  readonly replacedAt: Date | null;
}

/** Which results are meant: all that are current, or those that were at a time (ISO 8601, to the microsecond). */
export type AsOf = string | null;

/** In the alias `o`, with the time as the first parameter. */
const current = `o.state = 'COMMITTED' and case when $1::timestamptz is null then o.replaced_at is null
  else o.committed_at <= $1 and (o.replaced_at is null or o.replaced_at > $1) end`;

/** The current results of some outputs of plugins, or those of a time; by job. */
export async function resultsOf(
  db: Queryable,
  outputs: readonly { readonly plugin: string; readonly output: string }[],
  asOf: AsOf,
): Promise<readonly ResultRow[]> {
  const { rows } = await db.query<ResultRow>(
    `select j.plugin_name as plugin, o.output_name as output, o.job_id as "jobId", o.sink_uri as uri, o.mode,
       o.rows_written::float8 as rows, o.size_bytes::float8 as "sizeBytes", o.staged, o.target, md5(o.columns::text) as shape,
       o.replaced_at as "replacedAt"
     from cf_job_output o join cf_processing_job j on j.id = o.job_id
       join unnest($2::text[], $3::text[]) as wanted (plugin, output) on wanted.plugin = j.plugin_name and wanted.output = o.output_name
     where ${current} order by o.job_id, o.output_name`,
    [asOf, outputs.map(({ plugin }) => plugin), outputs.map(({ output }) => output)],
  );
  return rows;
}

export type ResultColumns = readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];

/** The columns of one of these jobs' results each: of an output of a job. */
export async function columnsOf(
  db: Queryable,
  results: readonly Pick<ResultRow, "jobId" | "output">[],
): Promise<readonly (Pick<ResultRow, "jobId" | "output"> & { readonly columns: ResultColumns })[]> {
  const { rows } = await db.query<{ jobId: string; output: string; columns: ResultColumns }>(
    `select o.job_id as "jobId", o.output_name as output, o.columns
     from cf_job_output o join unnest($1::bigint[], $2::text[]) as wanted (job_id, output) on wanted.job_id = o.job_id and wanted.output = o.output_name
     where o.state = 'COMMITTED'`,
    [results.map(({ jobId }) => jobId), results.map(({ output }) => output)],
  );
  return rows;
}

/** What an output of a plugin has in one sink. */
export interface OutputTotals {
  readonly plugin: string;
  readonly output: string;
  readonly uri: string;
  /** Of its newest result. */
  readonly mode: SinkMode;
  /** Current results, or those of the time; 0 where all have been replaced, or none was there yet. */
  readonly results: number;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly committedAt: Date | null;
}

/** Every output that has or had a committed result, by plugin, name and sink. */
export async function outputTotals(db: Queryable, asOf: AsOf): Promise<readonly OutputTotals[]> {
  const { rows } = await db.query<OutputTotals>(
    `select j.plugin_name as plugin, o.output_name as output, o.sink_uri as uri, (array_agg(o.mode order by o.job_id desc))[1] as mode,
       count(*) filter (where ${current})::float8 as results,
       coalesce(sum(o.rows_written) filter (where ${current}), 0)::float8 as rows,
       coalesce(sum(o.size_bytes) filter (where ${current}), 0)::float8 as "sizeBytes",
       max(o.committed_at) filter (where ${current}) as "committedAt"
     from cf_job_output o join cf_processing_job j on j.id = o.job_id
     where o.state = 'COMMITTED' group by j.plugin_name, o.output_name, o.sink_uri
     order by j.plugin_name collate "C", o.output_name collate "C", o.sink_uri collate "C"`,
    [asOf],
  );
  return rows;
}

/** The outputs of other versions of a plugin that have current results of these file versions: how many, and where. */
export async function standingBeside(
  db: Queryable,
  versionIds: readonly string[],
  { pluginName, pluginId }: { readonly pluginName: string; readonly pluginId: string },
): Promise<readonly { readonly output: string; readonly uri: string; readonly versions: number }[]> {
  if (versionIds.length === 0) return [];
  const { rows } = await db.query<{ output: string; uri: string; versions: number }>(
    `select o.output_name as output, o.sink_uri as uri, count(distinct o.file_version_id)::float8 as versions
     from cf_job_output o join cf_processing_job j on j.id = o.job_id
     where o.file_version_id = any ($1::bigint[]) and o.plugin_id <> $2 and j.plugin_name = $3 and o.state = 'COMMITTED' and o.replaced_at is null
     group by o.output_name, o.sink_uri order by o.output_name`,
    [versionIds, pluginId, pluginName],
  );
  return rows;
}
