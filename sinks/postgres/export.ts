import { createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { PoolClient } from "pg";
import { to as copyTo } from "pg-copy-streams";
import type { Export, ExportedColumn, TableResults } from "../tables/exported.ts";
import type { TableName } from "../tables/table-name.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";

export interface ExportRequest {
  readonly table: TableName;
  /** Of these columns. */
  readonly columns: readonly string[];
  /** The rows of these results. */
  readonly results: TableResults;
  readonly path: string;
  readonly signal: AbortSignal;
  /** Told as it comes; what it throws ends the work. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Writes the rows of some results of a table into a CSV file, in the order of the columns, in flat memory. All of it is read from one snapshot of
 * the database, in which the commit markers say that the results are there; so no row of another result is among them, and none of a commit
 * that is under way.
 */
export async function exportRows(server: Server, request: ExportRequest): Promise<Export<ExportedColumn>> {
  const { table } = request;
  return server.use(`${table.schema}.${table.name} can't be read`, async (client) => {
    await client.query(begin);
    const refused = await refusal(client, request);
    if (refused !== null) return refused;
    const types = await typesOf(client, table);
    const columns = request.columns.map((name) => ({ name, type: types.get(name) }));
    const lacking = columns.find(({ type }) => type === undefined);
    if (lacking !== undefined) return { lacks: lacking.name };
    const exported = columns as readonly ExportedColumn[];
    return { columns: exported, rows: await copyRows(client, request, exported) };
  });
}

/** Texts that say the same whatever the server is set to. */
const begin = `begin isolation level repeatable read read only;
  set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'; set local extra_float_digits = 3`;

async function refusal(client: PoolClient, { table, results }: ExportRequest): Promise<Export<never> | null> {
  if (!(await hasOwnSchema(client))) return { missing: results.map(({ jobId }) => jobId) };
  const { rows } = await client.query<{ jobId: string; isShared: boolean | null }>(
    `select w.job_id as "jobId", r.staging is not null and exists (select from _casparian.result o where (o.schema_name, o.table_name, o.job_id) =
         (r.schema_name, r.table_name, r.job_id) and o.output <> r.output) as "isShared"
     from unnest($3::bigint[], $4::text[]) as w (job_id, name)
       left join _casparian.result r on (r.schema_name, r.table_name, r.job_id, r.staging) = ($1, $2, w.job_id, w.name)
     where r.staging is null or exists (select from _casparian.result o where (o.schema_name, o.table_name, o.job_id) =
       (r.schema_name, r.table_name, r.job_id) and o.output <> r.output)`,
    [table.schema, table.name, results.map(({ jobId }) => jobId), results.map(({ name }) => name)],
  );
  const missing = rows.filter(({ isShared }) => isShared !== true);
  if (missing.length > 0) return { missing: missing.map(({ jobId }) => jobId) };
  return rows[0] === undefined ? null : { shared: rows[0].jobId };
}

async function typesOf(client: PoolClient, { schema, name }: TableName): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<ExportedColumn>(
    `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped`,
    [schema, name],
  );
  return new Map(rows.map((column) => [column.name, column.type]));
}

async function copyRows(client: PoolClient, request: ExportRequest, columns: readonly ExportedColumn[]): Promise<number> {
  const { table, results, path, signal, onBytes } = request;
  const values = columns.map(({ name, type }, at) => `${textOf(quoted(name), type)} as c${at}`);
  const jobs = [...new Set(results.map(({ jobId }) => jobId))].join(",");
  const copy = client.query(
    copyTo(`copy (select ${values.join(", ")} from ${quotedTable(table)} where _cf_job_id = any('{${jobs}}'::bigint[]))
      to stdout (format csv, header)`),
  );
  // The driver doesn't tell the stream of a connection that broke.
  const onEnd = (): void => void copy.destroy(new Error("Connection terminated unexpectedly"));
  client.once("end", onEnd);
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        onBytes(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  try {
    await pipeline(copy, counted, createWriteStream(path), { signal });
  } catch (error) {
    // A server that is in the midst of sending would have the connection's end wait for it.
    (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
    throw error;
  } finally {
    client.off("end", onEnd);
  }
  // The count comes with the end of the statement, after that of the rows.
  await client.query("commit");
  return copy.rowCount;
}

/** What the text of a value alone doesn't tell is written out: arrays as JSON of their items' texts, intervals as three counts. */
function textOf(value: string, type: string): string {
  if (type.endsWith("[]")) return `to_json(${value}::text[])`;
  if (type !== "interval") return value;
  const part = (name: string): string => `extract(${name} from ${value})::numeric`;
  return `case when ${value} is not null then (${part("year")} * 12 + ${part("month")})::bigint || ' months ' || ${part("day")}::bigint || ' days '
    || (${part("hour")} * 3600000000 + ${part("minute")} * 60000000 + ${part("microseconds")})::bigint || ' microseconds' end`;
}
