import { open, type FileHandle } from "node:fs/promises";
import type { Export, TableResults } from "../tables/exported.ts";
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
 * Writes the rows of some results of a table into CSV files, each group's with its columns in their order, in flat memory. A shared lock on the table
 * lets nobody commit to it meanwhile, and its commit markers say that the results are there; so no row of another result is among them.
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
      const refused = await refusal(session, request);
      if (refused !== null) return refused;
      const found = new Map((await findColumns(session, table)).map((column) => [fold(column.name), column]));
      const lacking = groups.flatMap(({ columns }) => columns).find((name) => !found.has(fold(name)));
      if (lacking !== undefined) return { lacks: lacking };
      let rows = 0;
      for (const group of groups) {
        const values = group.columns.map((name) => textOf(found.get(fold(name))!));
        rows += await writeGroup(session, request, group, values);
      }
      return { rows, copied: [] };
    } finally {
      signal.removeEventListener("abort", end);
    }
  });
}

async function refusal(session: Session, { table, groups }: ExportRequest): Promise<Export<never> | null> {
  const rows = await session.query(
    `select [job_id], [staging], [output] from [_casparian].[result]
     where [schema_name] = ${literal(table.schema)} and [table_name] = ${literal(table.name)};`,
  );
  const shown = new Set(rows.map(([job, staging]) => `${String(job)} ${String(staging)}`));
  const wanted = groups.flatMap(({ results }) => results);
  const missing = wanted.filter(({ jobId, name }) => !shown.has(`${jobId} ${name}`));
  if (missing.length > 0) return { missing: missing.map(({ jobId }) => jobId) };
  const outputs = Map.groupBy(rows, ([job]) => String(job));
  const shared = wanted.find(({ jobId }) => new Set(outputs.get(jobId)!.map(([, , output]) => output)).size > 1);
  return shared === undefined ? null : { shared: shared.jobId };
}

/** Jobs that one statement names; SQL Server gives up on lists of many thousands. */
const jobsMax = 1000;
/** Characters that are written at once. */
const blockMax = 256 * 1024;

async function writeGroup(
  session: Session,
  { table, signal, onBytes }: ExportRequest,
  { columns, results, path }: ExportGroup,
  values: readonly string[],
): Promise<number> {
  const jobs = [...new Set(results.map(({ jobId }) => integer(jobId)))];
  const file = await open(path, "wx");
  try {
    const out = createBlocks(file, onBytes);
    await out.put(columns);
    let rows = 0;
    for (let from = 0; from < jobs.length; from += jobsMax) {
      const some = jobs.slice(from, from + jobsMax).join(", ");
      await session.stream(`select ${values.join(", ")} from ${quotedTable(table)} where [_cf_job_id] in (${some});`, (row) => {
        signal.throwIfAborted();
        rows += 1;
        return out.put(row as readonly Value[]);
      });
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
