import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { extname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { Command } from "commander";
import { openConnections } from "../config/connections.ts";
import { listOutputs, type ListedOutput } from "../control/list-outputs.ts";
import { queryIntoParquet, runQuery, type QueryRequest, type QueryRows } from "../control/run-query.ts";
import { messageOf, TerminalFailure, WrongUse } from "../domain/failure.ts";
import { parseAsOf } from "./as-of.ts";
import { withExamples } from "./examples.ts";
import { bytes, count, number, relativeTime } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { parseSize } from "./quantity.ts";
import { readSome, textSink, writeCsv, writeJson } from "./query-rows.ts";
import { describeRows } from "./query-table.ts";
import { readArgument } from "./read-argument.ts";
import { withSession, type Session } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

const formats = ["table", "csv", "json", "parquet"] as const;
type Format = (typeof formats)[number];

interface QueryOptions {
  readonly tables?: true;
  readonly asOf?: string;
  readonly format?: string;
  readonly output?: string;
  readonly limit?: number;
  readonly mixedAsText?: true;
  readonly fetchMax?: number;
}

const fetchBytesMax = 1e9;
/** Rows of a table unless --limit says otherwise. */
const tableRows = 50;

export function createCommand(shell: Shell): Command {
  const command = new Command("query")
    .description(
      "Runs one SQL statement (DuckDB's) over the rows that jobs have put out: each output is a view of its committed and current results.\n" +
        "It runs in this process and reads nothing but them. Rows in S3 and in databases are copied first, where the statement names them.",
    )
    .argument("[statement]", "a select; or @FILE with it, or - for stdin")
    .option("--tables", "list the outputs: rows, size, sink, and whether they can be read")
    .option("--as-of <time>", "what was current then: 2026-11-21T06:00Z, 2h (ago), yesterday")
    .option("--format <format>", `${formats.join(", ")} (default: table, or what FILE's name says)`)
    .option("--output <file>", "write to this file, which appears when it is whole")
    .option("--limit <rows>", `no more rows than this (default: ${tableRows} in a table, else all)`, parseCount)
    .option("--mixed-as-text", "read columns whose types clash between files as text")
    .option("--fetch-max <size>", `how much may be copied from S3 and databases (default: ${bytes(fetchBytesMax)})`, parseSize)
    .action(async (statement: string | undefined, options: QueryOptions) => {
      const asOf = options.asOf === undefined ? null : parseAsOf(options.asOf);
      if (options.tables === true) {
        if (statement !== undefined) throw new WrongUse("--tables takes no statement");
        return withSession(shell, {}, async (session) => showTables(shell, await listOutputs(session, asOf)));
      }
      if (statement === undefined)
        throw new WrongUse("there is no statement to run", "casparian query 'select …', or --tables for what there is");
      const format = formatOf(shell, options);
      const sql = await readArgument(statement === "-" ? "@-" : statement, shell.signal);
      if (asOf !== null) shell.terminal.note(`As of ${asOf}`);
      await withSession(shell, {}, (session) => run(shell, session, requestOf(shell, sql, asOf, options), format, options));
    });
  return withExamples(command, {
    "casparian query --tables": "what there is to query",
    [`casparian query "select count(*) from trades"`]: "an output by its name",
    [`casparian query "from clean.output limit 10"`]: "or by plugin and name",
    [`casparian query "from trades" --as-of yesterday`]: "as it was then",
    "casparian query @report.sql --output report.parquet": "",
  });
}

function formatOf({ terminal }: Shell, { format, output, limit }: QueryOptions): Format {
  const known = formats.find((candidate) => candidate === format);
  if (format !== undefined && known === undefined) throw new WrongUse(`there is no format "${format}"`, `Formats: ${formats.join(", ")}`);
  if (output === undefined) {
    if (terminal.json && known !== undefined && known !== "json")
      throw new WrongUse(`both --json and --format ${known} are given`, "Give one of them");
    if (known === "parquet") throw new WrongUse("Parquet goes to a file", "Add --output FILE");
    return terminal.json ? "json" : (known ?? "table");
  }
  const suffix = extname(output).slice(1).toLowerCase();
  const chosen = known ?? formats.find((candidate) => candidate === suffix && candidate !== "table");
  if (chosen === undefined) throw new WrongUse(`it is not known how to write ${output}`, "Add --format csv, json or parquet");
  if (chosen === "table") throw new WrongUse("a table is for the terminal", "Give --output with --format csv, json or parquet");
  if (chosen === "parquet" && limit !== undefined) throw new WrongUse("--limit doesn't go with Parquet", "Write limit into the statement");
  return chosen;
}

function requestOf(shell: Shell, sql: string, asOf: string | null, options: QueryOptions): QueryRequest {
  const { terminal, signal } = shell;
  const settings = shell.settings();
  let shownAt = 0;
  return {
    sql,
    asOf,
    home: settings.home,
    connections: openConnections(settings.connections),
    fetchBytesMax: options.fetchMax ?? fetchBytesMax,
    clashAsText: options.mixedAsText === true,
    signal,
    onFetch: (fetched, all) => {
      if (!terminal.live || (performance.now() - shownAt < 100 && fetched < all)) return;
      shownAt = performance.now();
      terminal.progress(`Fetching ${bytes(fetched)} of ${bytes(all)}`);
    },
    onFiles: (files, size) => {
      if (terminal.live && files > 0) terminal.progress(`Reading ${count(files, "file")} (${bytes(size)})`);
    },
  };
}

async function run(shell: Shell, session: Session, request: QueryRequest, format: Format, options: QueryOptions): Promise<void> {
  const { terminal } = shell;
  if (options.output !== undefined) {
    const file = resolve(options.output);
    const rows = await writeFile(file, (part) => writeAs(session, request, format, part, options.limit));
    return terminal.show({ file, format, rows }, () => `${count(rows, "row")} in ${file}`);
  }
  await runQuery(session, request, async (result) => {
    if (format === "table")
      return terminal.print(describeRows(terminal, result.columns, await readSome(result, options.limit ?? tableRows)));
    terminal.clearProgress();
    await writeRows(result, format, process.stdout, options.limit);
  });
}

async function writeAs(session: Session, request: QueryRequest, format: Format, file: string, limit: number | undefined): Promise<number> {
  if (format === "parquet") return queryIntoParquet(session, request, file);
  return runQuery(session, request, async (result) => {
    const stream = createWriteStream(file, { flags: "wx" });
    const closed = finished(stream);
    const written = writeRows(result, format, stream, limit).finally(() => stream.end());
    const [rows] = await Promise.all([written, closed]);
    return rows;
  });
}

function writeRows(result: QueryRows, format: Format, stream: Writable, limit = Infinity): Promise<number> {
  return format === "csv" ? writeCsv(result, textSink(stream), limit) : writeJson(result, textSink(stream), limit);
}

/** The file has its name when it is whole. */
async function writeFile(file: string, write: (part: string) => Promise<number>): Promise<number> {
  const part = `${file}.${randomBytes(4).toString("hex")}.part`;
  try {
    const rows = await write(part);
    await rename(part, file);
    return rows;
  } catch (error) {
    await rm(part, { force: true });
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    throw new TerminalFailure({ code: "OUTPUT_FILE", message: `${file} can't be written: ${messageOf(error)}`, cause: error });
  }
}

function showTables({ terminal }: Shell, outputs: readonly ListedOutput[]): void {
  terminal.show(outputs, () => {
    if (outputs.length === 0) return "No job has put out rows yet: casparian status shows what is done, casparian doctor why nothing is";
    const elsewhere = outputs.filter(({ readElsewhere }) => readElsewhere !== null);
    return [
      renderTable(terminal, outputColumns, outputs),
      ...elsewhere.map(({ view, sink, readElsewhere }) => `${view} in ${sink} is read ${readElsewhere}`),
    ].join("\n");
  });
}

const outputColumns: readonly Column<ListedOutput>[] = [
  { title: "OUTPUT", value: ({ view, shortView }) => shortView ?? view },
  { title: "PLUGIN", value: ({ plugin }) => plugin },
  { title: "ROWS", value: ({ rows }) => number(rows), align: "right" },
  { title: "RESULTS", value: ({ files }) => number(files), align: "right" },
  { title: "SIZE", value: ({ sizeBytes }) => bytes(sizeBytes), align: "right" },
  { title: "NEWEST", value: ({ committedAt }) => (committedAt === null ? "–" : relativeTime(committedAt)) },
  { title: "MODE", value: ({ mode }) => mode },
  { title: "READ", value: ({ readElsewhere, isFetched }) => (readElsewhere !== null ? "no" : isFetched ? "fetched" : "in place") },
  { title: "SINK", value: ({ sink }) => sink, shorten: "middle" },
];
