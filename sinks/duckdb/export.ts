import { statSync } from "node:fs";
import { quoted, quotedTable } from "../postgres/quote.ts";
import type { Export, ExportedColumn, TableResults } from "../tables/exported.ts";
import type { TableName } from "../tables/table-name.ts";
import { withDatabase, type Database } from "./database.ts";
import { scratchOf, type Engine } from "./engine.ts";
import { folded } from "./folded.ts";
import { hasOwnSchema, keyOf } from "./own-schema.ts";
import { literal } from "./table.ts";

export interface ExportRequest {
  readonly table: TableName;
  /** Of these columns. */
  readonly columns: readonly string[];
  /** The rows of the results of each group; a row keeps the number of its group. */
  readonly groups: readonly TableResults[];
  /** Where nothing is yet. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Told as the copy grows; what it throws ends the work. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Copies the rows of some results of a table into a database file of its own: as `rows`, with the number of the group in `part` and the columns as
 * `c0`, `c1` and so on, in the table's own types. The target is open, read-only, for no longer. Nobody can write to it meanwhile, and its commit
 * markers say that the results are there; so no row of another result is among them.
 */
export async function exportRows(database: Database, request: ExportRequest): Promise<Export<ExportedColumn>> {
  const { table, path, signal, onBytes } = request;
  const doing = `${table.schema}.${table.name} can't be read`;
  return withDatabase({ ...database, signal }, doing, { access: "read", scratch: scratchOf(path) }, async (engine) => {
    await listWanted(engine, request.groups);
    const refused = await refusal(engine, request);
    if (refused !== null) return refused;
    const types = await typesOf(engine, table);
    const columns = request.columns.map((name) => ({ name, type: types.get(folded(name)) }));
    const lacking = columns.find(({ type }) => type === undefined);
    if (lacking !== undefined) return { lacks: lacking.name };
    const rows = await whileItGrows(engine, { path, signal, onBytes }, () => copyRows(engine, request));
    return { rows, copied: columns as readonly ExportedColumn[] };
  });
}

/** A temporary table, because as values of a statement thousands of them take long. */
async function listWanted({ connection }: Engine, groups: ExportRequest["groups"]): Promise<void> {
  await connection.run("create temp table wanted (job_id bigint, staging varchar, part integer)");
  const appender = await connection.createAppender("wanted", null, "temp");
  for (const [part, results] of groups.entries()) {
    for (const { jobId, name } of results) {
      appender.appendBigInt(BigInt(jobId));
      appender.appendVarchar(name);
      appender.appendInteger(part);
      appender.endRow();
    }
  }
  appender.closeSync();
}

async function refusal(engine: Engine, { table, groups }: ExportRequest): Promise<Export<never> | null> {
  const all = { missing: groups.flat().map(({ jobId }) => jobId) };
  if (!(await hasOwnSchema(engine)) || (await typesOf(engine, table)).size === 0) return all;
  const rows = await engine.rows<[bigint, boolean]>(
    `select w.job_id, r.staging is not null from temp.wanted w
       left join _casparian.result r on r.table_key = $1 and r.job_id = w.job_id and r.staging = w.staging
     where r.staging is null
       or exists (select 1 from _casparian.result o where o.table_key = $1 and o.job_id = r.job_id and o.output <> r.output) order by w.job_id`,
    [keyOf(table)],
  );
  const missing = rows.filter(([, isThere]) => !isThere);
  if (missing.length > 0) return { missing: missing.map(([job]) => String(job)) };
  return rows[0] === undefined ? null : { shared: String(rows[0][0]) };
}

/** By names as DuckDB compares them. */
async function typesOf(engine: Engine, table: TableName): Promise<ReadonlyMap<string, string>> {
  const rows = await engine.rows<[string, string, string, string]>(
    `select schema_name, table_name, column_name, data_type from duckdb_columns()
     where database_name = current_database() and lower(schema_name) = lower($1) and lower(table_name) = lower($2)`,
    [table.schema, table.name],
  );
  const ofIt = rows.filter(([schema, name]) => folded(schema) === folded(table.schema) && folded(name) === folded(table.name));
  return new Map(ofIt.map(([, , column, type]) => [folded(column), type]));
}

async function copyRows(engine: Engine, { table, columns, path }: ExportRequest): Promise<number> {
  const { connection } = engine;
  const values = columns.map((name, at) => `t.${quoted(name)} as c${at}`);
  await connection.run(`attach ${literal(path)} as casparian_copy (read_write)`);
  await connection.run(
    `create table casparian_copy.main.rows as select w.part, ${values.join(", ")} from ${quotedTable(table)} t
       join (select distinct job_id, part from temp.wanted) w on w.job_id = t._cf_job_id`,
  );
  const [row] = await engine.rows<[bigint]>("select count(*) from casparian_copy.main.rows");
  // Takes what is in the log into the file, too.
  await connection.run("detach casparian_copy");
  return Number(row![0]);
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
