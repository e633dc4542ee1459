import { type DuckDBPreparedStatement, type DuckDBResult, type DuckDBType, DuckDBTypeId, StatementType } from "@duckdb/node-api";
import { TerminalFailure, WrongUse, messageOf } from "../domain/failure.ts";
import type { Engine } from "./engine.ts";
import { literal } from "./identifier.ts";
import { valueReader } from "./value.ts";

export interface QueryColumn {
  readonly name: string;
  /** In DuckDB's words. */
  readonly type: string;
  readonly isNumber: boolean;
}

/** Some rows of a result, by their place in the batch. */
export interface RowBatch {
  readonly rows: number;
  text(row: number, column: number): string | null;
  json(row: number, column: number): string;
}

/** A result whose rows come as they are asked for, so that any number of them needs little memory. */
export interface QueryRows {
  readonly columns: readonly QueryColumn[];
  readonly batches: AsyncIterable<RowBatch>;
}

/**
 * Runs the one statement that a text holds, and says what it gives. Throws WrongUse for several statements, none, or one that is no query,
 * TerminalFailure QUERY_FAILED in DuckDB's words.
 */
export async function runStatement(engine: Engine, sql: string): Promise<QueryRows> {
  const prepared = await prepareQuery(engine, sql);
  const result = await inItsWords(() => prepared.stream());
  const types = result.columnTypes();
  const columns = result.columnNames().map((name, i) => {
    const type = types[i]!;
    return { name, type: String(type), isNumber: isNumber(type) };
  });
  return { columns, batches: batchesOf(result, types) };
}

/** Writes what a query gives into a Parquet file, and returns the count of its rows. Throws as `runStatement` does. */
export async function writeParquet(engine: Engine, sql: string, file: string): Promise<number> {
  await prepareQuery(engine, sql);
  const text = `copy (from query(${literal(sql)})) to ${literal(file)} (format parquet, compression zstd, use_tmp_file false)`;
  const reader = await inItsWords(() => engine.connection.runAndReadAll(text));
  return Number(reader.getRowsJson()[0]?.[0] ?? 0);
}

async function prepareQuery({ connection }: Engine, sql: string): Promise<DuckDBPreparedStatement> {
  // Where there is none at all, DuckDB's answer is an error without words.
  const statements = isBlank(sql) ? undefined : await inItsWords(() => connection.extractStatements(sql));
  if (statements === undefined || statements.count === 0) throw new WrongUse("there is no statement to run", "casparian query 'select …'");
  // DuckDB itself makes several statements of a pivot: types that the last one needs.
  for (let i = 0; i < statements.count - 1; i += 1) {
    const before = await inItsWords(() => statements.prepare(i));
    if (before.statementType !== StatementType.CREATE)
      throw new WrongUse("one statement at a time", "Run casparian query once for each statement");
    await inItsWords(() => before.run());
  }
  const prepared = await inItsWords(() => statements.prepare(statements.count - 1));
  const { statementType } = prepared;
  if (statementType === StatementType.SELECT || statementType === StatementType.EXPLAIN) return prepared;
  throw new WrongUse(
    `casparian query only reads, and this is a statement of the kind ${StatementType[statementType] ?? statementType}`,
    "Begin with select, from, with, describe or summarize; --output FILE writes what a query gives",
  );
}

/** Nothing but space, semicolons and comments. */
function isBlank(sql: string): boolean {
  return sql.replaceAll(/--.*$|\/\*[^]*?\*\/|[\s;]+/gm, "") === "";
}

async function* batchesOf(result: DuckDBResult, types: readonly DuckDBType[]): AsyncGenerator<RowBatch> {
  const readers = types.map(valueReader);
  for (;;) {
    const chunk = await inItsWords(() => result.fetchChunk());
    if (chunk === null || chunk.rowCount === 0) return;
    let columns: ReturnType<typeof chunk.getColumns> | undefined;
    const valueAt = (row: number, column: number) => (columns ??= chunk.getColumns())[column]![row]!;
    yield {
      rows: chunk.rowCount,
      text: (row, column) => readers[column]!.text(valueAt(row, column)),
      json: (row, column) => readers[column]!.json(valueAt(row, column)),
    };
  }
}

function isNumber({ typeId }: DuckDBType): boolean {
  return numbers.has(typeId);
}

const numbers: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.FLOAT,
  DuckDBTypeId.DOUBLE,
  DuckDBTypeId.DECIMAL,
]);

/** Makes a failure of DuckDB one of ours. */
export async function inItsWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TerminalFailure ? error : explain(error);
  }
}

function explain(error: unknown): TerminalFailure {
  const message = messageOf(error)
    .trim()
    .replace(/^Failed to extract statements: /, "");
  const refused = /^(Permission Error|Invalid Input Error: Cannot change configuration)/.test(message);
  return new TerminalFailure({
    code: refused ? "QUERY_REFUSED" : "QUERY_FAILED",
    message,
    hint: refused ? "casparian query reads the outputs on record and nothing else; duckdb itself opens any file" : hintFor(message),
    cause: error,
  });
}

function hintFor(message: string): string | undefined {
  if (message.startsWith("Catalog Error: Table with name")) return "casparian query --tables lists the outputs";
  if (message.startsWith("Out of Memory Error")) return "Ask for fewer columns or rows, or group by fewer values";
  return undefined;
}
