import { statSync } from "node:fs";
import { quoted, quotedTable } from "../postgres/quote.ts";
import type { Export, ExportedColumn, TableResults } from "../tables/exported.ts";
import { keptPrefix } from "../tables/keep.ts";
import type { TableName } from "../tables/table-name.ts";
import { withDatabase, type Database } from "./database.ts";
import { scratchOf, type Engine } from "./engine.ts";
import { folded } from "./folded.ts";
import { hasOwnSchema, keyOf } from "./own-schema.ts";
import { literal } from "./table.ts";

export interface ExportRequest {
  readonly table: TableName;
  /** A row keeps the number of its group. */
  readonly groups: readonly ExportGroup[];
  /** Where nothing is yet. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Told as the copy grows; what it throws ends the work. */
  readonly onBytes: (bytes: number) => void;
}

/** Results with the same columns. */
export interface ExportGroup {
  readonly columns: readonly string[];
  readonly results: TableResults;
}

/** Rows of results of some groups in the copy. */
export interface ExportedRows {
  /** Has the number of the group in `part`, and the columns as `c0`, `c1` and so on. */
  readonly copy: string;
  readonly columns: readonly ExportedColumn[];
  /** How many results of each group. */
  readonly groups: ReadonlyMap<number, number>;
}

/**
 * Copies the rows of some results into a database file of its own, in the table's own types: of those that a table shows, and of those that it showed
 * before, where they were kept (`keep.ts`). Rows of tables with the same columns are together. The target is open, read-only, for no longer. Nobody
 * can write to it meanwhile, and its commit markers say where the results are; so no row of another result is among them.
 */
export async function exportRows(database: Database, request: ExportRequest): Promise<Export<ExportedRows>> {
  const { table, groups, path, signal, onBytes } = request;
  const doing = `${table.schema}.${table.name} can't be read`;
  return withDatabase({ ...database, signal }, doing, { access: "read", scratch: scratchOf(path) }, async (engine) => {
    await listWanted(engine, groups);
    const tables = await tablesOf(engine, table);
    const located = await locate(engine, request, tables);
    if (!Array.isArray(located)) return located;
    const sources: Source[] = [];
    for (const { key, parts } of located) {
      const found = tables.get(key)!;
      const names = new Map([...parts.keys()].flatMap((part) => groups[part]!.columns.map((name) => [folded(name), name] as const)));
      const columns = [...names.values()].map((name) => ({ name, type: found.types.get(folded(name)) }));
      const lacking = columns.find(({ type }) => type === undefined);
      if (lacking !== undefined) return { lacks: lacking.name };
      sources.push({ key, parts, table: found.name, columns: columns as readonly ExportedColumn[] });
    }
    const alike = [...Map.groupBy(sources, ({ columns }) => JSON.stringify(columns)).values()];
    const rows = await whileItGrows(engine, { path, signal, onBytes }, () => copyRows(engine, path, alike));
    return { rows, copied: alike.map((some, number) => ({ copy: copyName(number), columns: some[0]!.columns, groups: addUp(some) })) };
  });
}

/** A table that has results: how many of each group. */
interface Place {
  readonly key: string;
  readonly parts: ReadonlyMap<number, number>;
}

interface Source extends Place {
  readonly table: TableName;
  readonly columns: readonly ExportedColumn[];
}

/** A temporary table, because as values of a statement thousands of them take long. */
async function listWanted({ connection }: Engine, groups: ExportRequest["groups"]): Promise<void> {
  await connection.run("create temp table wanted (job_id bigint, staging varchar, part integer)");
  const appender = await connection.createAppender("wanted", null, "temp");
  for (const [part, { results }] of groups.entries()) {
    for (const { jobId, name } of results) {
      appender.appendBigInt(BigInt(jobId));
      appender.appendVarchar(name);
      appender.appendInteger(part);
      appender.endRow();
    }
  }
  appender.closeSync();
}

/** Which tables have the results, noted in `temp.located`. */
async function locate(
  engine: Engine,
  { table, groups }: ExportRequest,
  tables: ReadonlyMap<string, FoundTable>,
): Promise<Place[] | Export<never>> {
  if (!(await hasOwnSchema(engine))) return { missing: groups.flatMap(({ results }) => results.map(({ jobId }) => jobId)) };
  const kept = keyOf({ schema: "_casparian", name: keptPrefix }).slice(0, -2);
  await engine.connection.run(
    `create temp table located as select w.job_id, w.part, r.table_key, exists (select 1 from _casparian.result o
         where o.table_key = r.table_key and o.job_id = r.job_id and o.output <> r.output) as is_shared
       from temp.wanted w left join _casparian.result r on r.job_id = w.job_id and r.staging = w.staging
         and (r.table_key = ${literal(keyOf(table))} or starts_with(r.table_key, ${literal(kept)}))`,
  );
  const rows = await engine.rows<[bigint, number, string | null, boolean]>("select * from temp.located order by job_id");
  const missing = rows.filter(([, , key]) => key === null || !tables.has(key));
  if (missing.length > 0) return { missing: missing.map(([job]) => String(job)) };
  const shared = rows.find(([, , , isShared]) => isShared);
  if (shared !== undefined) return { shared: String(shared[0]) };
  return [...Map.groupBy(rows, ([, , key]) => key!)].map(([key, some]) => ({
    key,
    parts: new Map([...Map.groupBy(some, ([, part]) => part)].map(([part, ofIt]) => [part, ofIt.length])),
  }));
}

interface FoundTable {
  readonly name: TableName;
  readonly types: ReadonlyMap<string, string>;
}

/** The table and those in which its rows are kept, by their keys: the types of columns by names as DuckDB compares them. */
async function tablesOf(engine: Engine, { schema, name }: TableName): Promise<ReadonlyMap<string, FoundTable>> {
  const rows = await engine.rows<[string, string, string, string]>(
    `select schema_name, table_name, column_name, data_type from duckdb_columns() where database_name = current_database()
       and (lower(schema_name) = lower($1) and lower(table_name) = lower($2) or schema_name = '_casparian' and starts_with(table_name, $3))`,
    [schema, name, keptPrefix],
  );
  const tables = Map.groupBy(rows, ([inSchema, table]) => keyOf({ schema: inSchema, name: table }));
  return new Map(
    [...tables].map(([key, columns]) => [
      key,
      {
        name: { schema: columns[0]![0], name: columns[0]![1] },
        types: new Map(columns.map(([, , column, type]) => [folded(column), type])),
      },
    ]),
  );
}

/** Rows of tables with the same columns go into one. */
async function copyRows(engine: Engine, path: string, alike: readonly (readonly Source[])[]): Promise<number> {
  const { connection } = engine;
  await connection.run(`attach ${literal(path)} as casparian_copy (read_write)`);
  let copied = 0;
  for (const [number, sources] of alike.entries()) {
    const copy = `casparian_copy.main.${copyName(number)}`;
    const selects = sources.map(({ key, table, columns }) => {
      const values = columns.map(({ name }, at) => `t.${quoted(name)} as c${at}`);
      return `select w.part, ${values.join(", ")} from ${quotedTable(table)} t
        join (select distinct job_id, part from temp.located where table_key = ${literal(key)}) w on w.job_id = t._cf_job_id`;
    });
    // One after the other, because there may be thousands.
    for (const [at, select] of selects.entries())
      await connection.run(`${at === 0 ? `create table ${copy} as` : `insert into ${copy}`} ${select}`);
    const [row] = await engine.rows<[bigint]>(`select count(*) from ${copy}`);
    copied += Number(row![0]);
  }
  // Takes what is in the log into the file, too.
  await connection.run("detach casparian_copy");
  return copied;
}

function copyName(number: number): string {
  return `rows${number}`;
}

function addUp(places: readonly Place[]): ReadonlyMap<number, number> {
  const sums = new Map<number, number>();
  for (const [part, results] of places.flatMap(({ parts }) => [...parts])) sums.set(part, (sums.get(part) ?? 0) + results);
  return sums;
}

/** DuckDB writes full groups of rows as it goes, so the size of the file says how far it is. */
const lookMs = 100;

async function whileItGrows<T>(
  { connection }: Engine,
  { path, signal, onBytes }: Pick<ExportRequest, "path" | "signal" | "onBytes">,
  work: () => Promise<T>,
): Promise<T> {
  let told = 0;
  const tell = (): void => {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > told) onBytes(size - told);
    told = Math.max(told, size);
  };
  let refused: { readonly error: unknown } | undefined;
  const timer = setInterval(() => {
    try {
      if (refused === undefined) tell();
    } catch (error) {
      refused = { error };
    }
    // Each time, because one that comes between two statements is lost.
    if (refused !== undefined || signal.aborted) connection.interrupt();
  }, lookMs);
  try {
    const result = await work();
    signal.throwIfAborted();
    tell();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw refused === undefined ? error : refused.error;
  } finally {
    clearInterval(timer);
  }
}
