import { DuckDBDataChunk, DuckDBTimestampTZValue, type DuckDBAppender } from "@duckdb/node-api";
import binding from "@duckdb/node-bindings";
import { createBatchReader, type Batch } from "../../arrow/column.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import { typeName } from "../../arrow/type.ts";
import { cellsFor, placesAtFirst, type Cells } from "./cells.ts";
import type { TargetColumn } from "./columns.ts";
import { openEngine, scratchOf, type Engine } from "./engine.ts";
import { putterOf, type Put } from "./put-value.ts";
import type { About } from "./stage-pool.ts";
import { ValueRefused } from "./value-refused.ts";

/** A database file of its own in which the rows of one output are gathered: `rows`, with numbers for names, and `about`. */
export interface StagedTable {
  /** Returns how many rows were in it. */
  write(message: ArrowMessage): Promise<number>;
  /** Makes all of it durable and closes the file; returns how many rows are read back from it. */
  finish(about: About): Promise<number>;
  /** Safe at any time. What is in the file is of no use then. */
  close(): void;
}

/** DuckDB keeps rows in its own memory until it is told to take them into the file. */
const flushBytes = 16 * 1024 * 1024;

export interface StagedTableOptions {
  /** Where nothing is yet. */
  readonly path: string;
  readonly schema: ArrowMessage;
  readonly columns: readonly TargetColumn[];
}

export async function createStagedTable({ path, schema, columns }: StagedTableOptions): Promise<StagedTable> {
  const reader = createBatchReader(schema);
  const engine = await openEngine({ path, access: "write", scratch: scratchOf(path) });
  const { appender, chunk } = await orClose(engine, () => prepare(engine, columns));
  const cells = reader.schema.fields.map(cellsFor);
  let [rows, unflushed] = [0, 0];
  let isOpen = true;

  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    // Before its connection, which would flush it.
    appender.clear();
    appender.closeSync();
    engine.close();
  };
  return {
    async write(message) {
      const batch = reader.read(message);
      if (batch === null) return 0;
      const puts = batch.columns.map((column, index) => putterOf(column, cells[index]!));
      for (let from = 0; from < batch.rows; from += placesAtFirst) {
        const to = Math.min(batch.rows, from + placesAtFirst);
        fill(chunk, { batch, puts, cells, from, to, rowsBefore: rows });
        appender.appendDataChunk(chunk);
        unflushed += (message.bytes.length * (to - from)) / batch.rows;
        if (unflushed < flushBytes) continue;
        appender.flushSync();
        unflushed = 0;
      }
      rows += batch.rows;
      return batch.rows;
    },
    async finish(about) {
      appender.closeSync();
      await insertAbout(engine, about, rows);
      await engine.connection.run("commit");
      await engine.connection.run("checkpoint");
      isOpen = false;
      engine.close();
      return countRows(path);
    },
    close,
  };
}

async function prepare(engine: Engine, columns: readonly TargetColumn[]): Promise<{ appender: DuckDBAppender; chunk: DuckDBDataChunk }> {
  const { connection } = engine;
  // One transaction for all, so that rows go into the file once and not through the log.
  await connection.run("begin");
  await connection.run(`create table rows (${columns.map(({ type }, index) => `c${index} ${type}`).join(", ")})`);
  await connection.run(
    `create table about (output varchar, job_id bigint, source_hash varchar, file_version_id bigint, processed_at timestamptz, plugin_version varchar,
       columns varchar, row_count bigint)`,
  );
  const types = (await connection.runAndReadAll("select * from rows")).columnTypes();
  return { appender: await connection.createAppender("rows"), chunk: DuckDBDataChunk.create(types) };
}

interface Filling {
  readonly batch: Batch;
  readonly puts: readonly Put[];
  readonly cells: readonly Cells[];
  readonly from: number;
  readonly to: number;
  readonly rowsBefore: number;
}

/** Puts some rows of a batch into the chunk, column by column. */
function fill({ chunk }: DuckDBDataChunk, { batch, puts, cells, from, to, rowsBefore }: Filling): void {
  binding.data_chunk_reset(chunk);
  binding.data_chunk_set_size(chunk, to - from);
  let [row, index] = [from, 0];
  try {
    for (index = 0; index < puts.length; index += 1) {
      const [put, own] = [puts[index]!, cells[index]!];
      own.reset();
      for (row = from; row < to; row += 1) put(row, row - from);
      own.flush(binding.data_chunk_get_vector(chunk, index), to - from);
    }
  } catch (error) {
    const { field } = batch.columns[index]!;
    if (error instanceof TerminalFailure) throw error;
    if (!(error instanceof ValueRefused))
      throw new TerminalFailure({
        code: "SINK_SCHEMA",
        message: `column "${field.name}" of a batch is no valid Arrow data: ${messageOf(error)}`,
        cause: error,
      });
    throw new TerminalFailure({
      code: "SINK_VALUE",
      message: `row ${rowsBefore + row + 1} of column "${field.name}" (${typeName(field)}) can't be kept in DuckDB: ${error.message}`,
      hint: "Change the value in the plugin, or cast the column to a type that keeps it, such as a text",
      data: { column: field.name, row: rowsBefore + row + 1 },
    });
  }
}

async function insertAbout(engine: Engine, about: About, rows: number): Promise<void> {
  const { output, jobId, sourceHash, fileVersionId, processedAtMs, pluginVersion, columns } = about;
  await engine.change("insert into about values ($1, $2, $3, $4, $5, $6, $7, $8)", [
    output,
    BigInt(jobId),
    sourceHash,
    BigInt(fileVersionId),
    new DuckDBTimestampTZValue(BigInt(processedAtMs) * 1000n),
    pluginVersion,
    JSON.stringify(columns),
    BigInt(rows),
  ]);
}

/** From the disk, by reading a column and not what the file says of itself. */
async function countRows(path: string): Promise<number> {
  const engine = await openEngine({ path, access: "read", scratch: scratchOf(path) });
  try {
    const [row] = await engine.rows<[bigint]>("select count(*) filter (c0 is null) + count(c0) from rows");
    return Number(row![0]);
  } finally {
    engine.close();
  }
}

async function orClose<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    engine.close();
    throw error;
  }
}
