import { open, type FileHandle } from "node:fs/promises";
import type { Export, TableResults } from "../tables/exported.ts";
import { keptPrefix } from "../tables/keep.ts";
import type { TableName } from "../tables/table-name.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { integer } from "./staging.ts";
import { findColumns, findTable } from "./table.ts";
import type { FoundColumn } from "./widening.ts";

export interface ExportRequest {
  readonly table: TableName;
  readonly groups: readonly ExportGroup[];
  readonly signal: AbortSignal;
  /** Told as it comes; what it throws ends the work. */
  readonly onBytes: (bytes: number) => void;
}

/** The rows of some results, of these columns, and the file that they go to. */
export interface ExportGroup {
  readonly columns: readonly string[];
  readonly results: TableResults;
  readonly path: string;
}

/**
 * Writes the rows of some results into CSV files, each group's with its columns in their order, in flat memory: of those that a table shows, and of
 * those that it showed before, where they were kept (`keep.ts`). A shared lock on the table lets nobody commit to it meanwhile, and its commit markers
 * say where the results are; so no row of another result is among them.
 */
export async function exportRows(server: Server, request: ExportRequest): Promise<Export<never>> {
  const { table, groups, signal } = request;
  return server.transaction(`${table.schema}.${table.name} can't be read`, async (session) => {
    const end = (): void => session.close();
    signal.addEventListener("abort", end, { once: true });
    try {
      const { isThere, fold } = await findTable(session, table);
      if (!isThere || !(await hasOwnSchema(session))) return { missing: jobsOf(groups) };
      await session.query(`select top (1) [_cf_job_id] from ${quotedTable(table)} with (tablock, holdlock);`);
      const places = await locate(session, request);
      if (!Array.isArray(places)) return places;
      const columnsOf = new Map(groups.map(({ path, columns }) => [path, columns]));
      const sources: Source[] = [];
      for (const { table: at, results } of places) {
        const found = new Map((await findColumns(session, at)).map((column) => [fold(column.name), column]));
        for (const [path, own] of Map.groupBy(results, (result) => result.path)) {
          const columns = columnsOf.get(path)!.map((name) => found.get(fold(name)) ?? name);
          const lacking = columns.find((column) => typeof column === "string");
          if (lacking !== undefined) return { lacks: lacking };
          sources.push({ table: at, results: own, path, values: columns.map((column) => textOf(column as FoundColumn)) });
        }
      }
      const ofGroup = Map.groupBy(sources, ({ path }) => path);
      let rows = 0;
      for (const group of groups) rows += await writeGroup(session, request, group, ofGroup.get(group.path)!);
      return { rows, copied: [] };
    } finally {
      signal.removeEventListener("abort", end);
    }
  });
}

/** A table that has some of the results, each with the file of its group. */
interface Place {
  readonly table: TableName;
  readonly results: readonly (TableResults[number] & { readonly path: string })[];
}

/** Results of a group in one table, and what is asked of their rows. */
interface Source {
  readonly table: TableName;
  readonly results: TableResults;
  readonly path: string;
  readonly values: readonly string[];
}

async function locate(session: Session, { table, groups }: ExportRequest): Promise<Place[] | Export<never>> {
  const markers = await session.query(
    `select [job_id], [staging], [output], [schema_name], [table_name] from [_casparian].[result]
     where [schema_name] = ${literal(table.schema)} and [table_name] = ${literal(table.name)}
       or [schema_name] = ${literal("_casparian")} and left([table_name], ${keptPrefix.length}) = ${literal(keptPrefix)};`,
  );
  const shown = markers.map(([job, staging, output, schema, name]) => {
    const isKept = schema === "_casparian" && String(name).startsWith(keptPrefix);
    const at = isKept ? { schema: "_casparian", name: String(name) } : table;
    return { result: `${String(job)} ${String(staging)}`, output: String(output), table: at, ofJob: `${String(job)} ${quotedTable(at)}` };
  });
  const placeOf = new Map(shown.map((marker) => [marker.result, marker]));
  const found = groups.flatMap(({ results, path }) =>
    results.map((result) => ({ ...result, path, marker: placeOf.get(`${result.jobId} ${result.name}`) })),
  );
  const tables = Map.groupBy(found, ({ marker }) => (marker === undefined ? "" : quotedTable(marker.table)));
  const missing = (tables.get("") ?? []).map(({ jobId }) => jobId);
  tables.delete("");
  const places: Place[] = [];
  for (const some of tables.values()) {
    const at = some[0]!.marker!.table;
    if (at === table || (await findTable(session, at)).isThere) places.push({ table: at, results: some });
    else missing.push(...some.map(({ jobId }) => jobId));
  }
  if (missing.length > 0) return { missing };
  const outputs = Map.groupBy(shown, ({ ofJob }) => ofJob);
  const shared = found.find(({ marker }) => new Set(outputs.get(marker!.ofJob)!.map(({ output }) => output)).size > 1);
  return shared === undefined ? places : { shared: shared.jobId };
}

/** Jobs that one statement names; SQL Server gives up on lists of many thousands. */
const jobsMax = 1000;
/** Characters that are written at once. */
const blockMax = 256 * 1024;

/** The rows of a group in all tables that have some. */
async function writeGroup(
  session: Session,
  { signal, onBytes }: ExportRequest,
  { columns, path }: ExportGroup,
  sources: readonly Source[],
): Promise<number> {
  const file = await open(path, "wx");
  try {
    const out = createBlocks(file, onBytes);
    await out.put(columns);
    let rows = 0;
    const put = (row: readonly unknown[]): Promise<void> | undefined => {
      signal.throwIfAborted();
      rows += 1;
      return out.put(row as readonly Value[]);
    };
    for (const { table, results, values } of sources) {
      const jobs = [...new Set(results.map(({ jobId }) => integer(jobId)))];
      for (let from = 0; from < jobs.length; from += jobsMax) {
        const some = jobs.slice(from, from + jobsMax).join(", ");
        await session.stream(`select ${values.join(", ")} from ${quotedTable(table)} where [_cf_job_id] in (${some});`, put);
      }
    }
    await out.end();
    return rows;
  } finally {
    await file.close();
  }
}

/** What the driver makes of the values that are asked for. */
type Value = string | number | null;

/** Lines of CSV, one write after the other. */
function createBlocks(file: FileHandle, onBytes: ExportRequest["onBytes"]) {
  let [lines, length] = [[] as string[], 0];
  let writing = Promise.resolve();
  const write = (): Promise<void> => {
    const block = Buffer.from(lines.join(""));
    [lines, length] = [[], 0];
    onBytes(block.length);
    writing = writing.then(() => file.appendFile(block));
    return writing;
  };
  return {
    /** A promise where it has to be waited for. */
    put(row: readonly Value[]): Promise<void> | undefined {
      const line = `${row.map(field).join(",")}\n`;
      lines.push(line);
      length += line.length;
      return length < blockMax ? undefined : write();
    },
    end: write,
  };
}

/** Nothing is null, `""` the empty text. */
function field(value: Value): string {
  if (value === null) return "";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jobsOf(groups: readonly ExportGroup[]): readonly string[] {
  return groups.flatMap(({ results }) => results.map(({ jobId }) => jobId));
}

/**
 * A value in a form that the driver gives exactly: it would make floating-point numbers of decimals, and `Date` of times. Times with zone are in
 * UTC. Source: SQL Server, "CAST and CONVERT", styles.
 */
function textOf({ name, type }: FoundColumn): string {
  const value = quoted(name);
  if (/^(real|float|n?(var)?char)$/.test(type)) return value;
  const style = styles[type];
  if (style !== undefined) return `convert(nvarchar(48), ${value}, ${style})`;
  if (type.endsWith("binary")) return `convert(nvarchar(max), ${value}, 2)`;
  return `convert(nvarchar(48), ${value})`;
}

/** Dates and times in ISO 8601. */
const styles: Readonly<Record<string, number>> = { time: 121, date: 126, datetime2: 126, datetimeoffset: 127 };
