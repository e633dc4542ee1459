import { createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { PoolClient } from "pg";
import { to as copyTo } from "pg-copy-streams";
import type { Export, ExportedColumn, TableResults } from "../tables/exported.ts";
import { keptPrefix } from "../tables/keep.ts";
import type { TableName } from "../tables/table-name.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";

export interface ExportRequest {
  readonly table: TableName;
  readonly groups: readonly ExportGroup[];
  /** Where the n-th file goes. */
  readonly pathOf: (number: number) => string;
  readonly signal: AbortSignal;
  /** Told as it comes; what it throws ends the work. */
  readonly onBytes: (bytes: number) => void;
}

/** Results with the same columns. */
export interface ExportGroup {
  readonly columns: readonly string[];
  readonly results: TableResults;
}

/** A file with rows of some results, and its columns in their order. */
export interface ExportedFile {
  readonly path: string;
  readonly columns: readonly ExportedColumn[];
  readonly results: TableResults;
}

/**
 * Writes the rows of some results into CSV files, in flat memory: of those that a table shows, and of those that it showed before, where they were
 * kept (`keep.ts`). A file has the rows of tables with the same columns. All of it is read from one snapshot of the database, in which the commit
 * markers say where the results are; so no row of another result is among them, and none of a commit that is under way.
 */
export async function exportRows(server: Server, request: ExportRequest): Promise<Export<ExportedFile>> {
  const { table, groups } = request;
  return server.use(`${table.schema}.${table.name} can't be read`, async (client) => {
    await client.query(begin);
    const located = await locate(client, request);
    if (!Array.isArray(located)) return located;
    const types = await typesOf(client, located);
    const groupOf = new Map(groups.flatMap((group) => group.results.map(({ name }) => [name, group] as const)));
    const tables: TableRows[] = [];
    for (const at of located) {
      const shapes = new Set(at.results.map(({ name }) => groupOf.get(name)!.columns));
      const names = new Set([...shapes].flat());
      const columns = [...names].map((name) => ({ name, type: types.get(quotedTable(at.table))?.get(name) }));
      const lacking = columns.find(({ type }) => type === undefined);
      if (lacking !== undefined) return { lacks: lacking.name };
      tables.push({ ...at, columns: columns as readonly ExportedColumn[] });
    }
    const copied: ExportedFile[] = [];
    let rows = 0;
    for (const alike of inLots(Map.groupBy(tables, ({ columns }) => JSON.stringify(columns)).values())) {
      const path = request.pathOf(copied.length);
      rows += await copyRows(client, { ...request, path }, alike);
      copied.push({ path, columns: alike[0]!.columns, results: alike.flatMap(({ results }) => results) });
    }
    await client.query("commit");
    return { rows, copied };
  });
}

/** Tables that one statement reads: each takes a lock, of which a server has some thousand for all sessions. */
const tablesMax = 500;

function* inLots(groups: Iterable<readonly TableRows[]>): Generator<readonly TableRows[]> {
  for (const tables of groups) for (let from = 0; from < tables.length; from += tablesMax) yield tables.slice(from, from + tablesMax);
}

/** Texts that say the same whatever the server is set to. */
const begin = `begin isolation level repeatable read read only;
  set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'; set local extra_float_digits = 3`;

/** Results in the table that shows them, or keeps them. */
interface Place {
  readonly table: TableName;
  readonly results: TableResults;
}

interface TableRows extends Place {
  readonly columns: readonly ExportedColumn[];
}

async function locate(client: PoolClient, { table, groups }: ExportRequest): Promise<Place[] | Export<never>> {
  const results = groups.flatMap((group) => group.results);
  if (!(await hasOwnSchema(client))) return { missing: results.map(({ jobId }) => jobId) };
  const { rows } = await client.query<{ jobId: string; name: string; schema: string | null; tableName: string; isShared: boolean }>(
    `select w.job_id as "jobId", w.name, r.schema_name as schema, r.table_name as "tableName",
       exists (select from _casparian.result o where (o.schema_name, o.table_name, o.job_id) = (r.schema_name, r.table_name, r.job_id)
         and o.output <> r.output) as "isShared"
     from unnest($3::bigint[], $4::text[]) as w (job_id, name)
       left join _casparian.result r on r.job_id = w.job_id and r.staging = w.name and ((r.schema_name, r.table_name) = ($1, $2)
         or r.schema_name = '_casparian' and starts_with(r.table_name, $5)
           and exists (select from pg_class c where c.relnamespace = to_regnamespace('_casparian') and c.relname = r.table_name))`,
    [table.schema, table.name, results.map(({ jobId }) => jobId), results.map(({ name }) => name), keptPrefix],
  );
  const missing = rows.filter(({ schema }) => schema === null);
  if (missing.length > 0) return { missing: missing.map(({ jobId }) => jobId) };
  const shared = rows.find(({ isShared }) => isShared);
  if (shared !== undefined) return { shared: shared.jobId };
  return [...Map.groupBy(rows, ({ schema, tableName }) => JSON.stringify([schema, tableName])).values()].map((some) => ({
    table: { schema: some[0]!.schema!, name: some[0]!.tableName },
    results: some,
  }));
}

/** The columns of some tables, by their quoted names. */
async function typesOf(client: PoolClient, places: readonly Place[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const { rows } = await client.query<ExportedColumn & { schema: string; tableName: string }>(
    `select n.nspname as schema, c.relname as "tableName", a.attname as name, format_type(a.atttypid, a.atttypmod) as type
     from unnest($1::text[], $2::text[]) as w (schema_name, table_name) join pg_namespace n on n.nspname = w.schema_name
       join pg_class c on c.relnamespace = n.oid and c.relname = w.table_name join pg_attribute a on a.attrelid = c.oid
     where a.attnum > 0 and not a.attisdropped`,
    [places.map(({ table }) => table.schema), places.map(({ table }) => table.name)],
  );
  const tables = Map.groupBy(rows, ({ schema, tableName }) => quotedTable({ schema, name: tableName }));
  return new Map([...tables].map(([table, columns]) => [table, new Map(columns.map(({ name, type }) => [name, type]))]));
}

/** The rows of tables with the same columns. */
async function copyRows(
  client: PoolClient,
  { path, signal, onBytes }: Pick<ExportRequest, "signal" | "onBytes"> & { readonly path: string },
  tables: readonly TableRows[],
): Promise<number> {
  const values = tables[0]!.columns.map(({ name, type }, at) => `${textOf(quoted(name), type)} as c${at}`).join(", ");
  const selects = tables.map(({ table, results }) => {
    const jobs = [...new Set(results.map(({ jobId }) => jobId))].join(",");
    return `select ${values} from ${quotedTable(table)} where _cf_job_id = any('{${jobs}}'::bigint[])`;
  });
  await client.query("savepoint lot");
  const copy = client.query(copyTo(`copy (${selects.join(" union all ")}) to stdout (format csv, header)`));
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
  // The count comes with the end of the statement, after that of the rows: another one comes after both. The
  // snapshot stays, and what was locked since is let go of.
  await client.query("rollback to savepoint lot");
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
