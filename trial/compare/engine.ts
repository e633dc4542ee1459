import { DuckDBDataChunk, DuckDBInstance, type DuckDBConnection, type DuckDBValue, VARCHAR, BIGINT } from "@duckdb/node-api";
import { createBatchReader } from "../../arrow/column.ts";
import { readingArrow } from "../../arrow/message.ts";
import { textReader } from "../../arrow/text.ts";
import { readSpill, type Spill } from "./spill.ts";

/** A database of one comparison. */
export interface Engine {
  run(sql: string): Promise<void>;
  rows<T extends readonly DuckDBValue[]>(sql: string): Promise<readonly T[]>;
  /**
   * Makes a table of an output's rows: `n`, their number from 1, and `v`, the columns at these places as a JSON array of texts that say exactly what the
   * values are, null where there is none. One text of DuckDB's for each row, because a thousand columns take their memory whatever is in them.
   */
  load(table: string, rows: Spill, places: readonly number[]): Promise<void>;
  close(): void;
}

/** What is more goes to the disk: so memory is bounded for files of any size. */
const memoryMax = "512MB";
const threads = "2";

/**
 * Whatever it does is interrupted by the signal. Its tables are temporary ones, which go to `folder` as they are where memory doesn't suffice: texts in a
 * database file would be compressed first, which took longer than all the rest.
 */
export async function openEngine(folder: string, signal: AbortSignal): Promise<Engine> {
  const instance = await DuckDBInstance.create(":memory:", {
    threads,
    memory_limit: memoryMax,
    temp_directory: folder,
    preserve_insertion_order: "false",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
  });
  const connection = await instance.connect();
  const interrupt = (): void => connection.interrupt();
  signal.addEventListener("abort", interrupt);
  const unlessAborted = async <T>(work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  };
  return {
    run: (sql) => unlessAborted(async () => void (await connection.run(sql))),
    rows: <T extends readonly DuckDBValue[]>(sql: string) =>
      unlessAborted(async () => (await connection.runAndReadAll(sql)).getRows() as unknown as readonly T[]),
    load: (table, rows, places) => load(connection, { table, rows, places, signal }),
    close() {
      signal.removeEventListener("abort", interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

interface Loading {
  readonly table: string;
  readonly rows: Spill;
  readonly places: readonly number[];
  readonly signal: AbortSignal;
}

/** A chunk of DuckDB's. Rows. */
const chunkRows = 2_048;
/** What is appended becomes part of the table. Rows. */
const flushRows = 100_000;

async function load(connection: DuckDBConnection, { table, rows, places, signal }: Loading): Promise<void> {
  await connection.run(`create or replace temp table ${table} (n bigint, v varchar)`);
  const appender = await connection.createAppender(table, null, "temp");
  const reader = createBatchReader(rows.schema);
  const chunk = DuckDBDataChunk.create([BIGINT, VARCHAR]);
  let [done, unflushed] = [0, 0];
  for await (const message of readSpill(rows)) {
    signal.throwIfAborted();
    const batch = reader.read(message);
    if (batch === null) continue;
    const texts = readingArrow("a batch", () => places.map((place) => textReader(batch.columns[place]!)));
    for (let from = 0; from < batch.rows; from += chunkRows) {
      const size = Math.min(chunkRows, batch.rows - from);
      chunk.reset();
      chunk.rowCount = size;
      chunk.setColumnValues(
        0,
        Array.from({ length: size }, (_, row) => BigInt(done + from + row + 1)),
      );
      const values = readingArrow("a batch", () =>
        Array.from({ length: size }, (_, row) => JSON.stringify(texts.map((text) => text(from + row)))),
      );
      chunk.setColumnValues(1, values);
      appender.appendDataChunk(chunk);
    }
    done += batch.rows;
    unflushed += batch.rows;
    if (unflushed < flushRows) continue;
    appender.flushSync();
    unflushed = 0;
  }
  appender.closeSync();
}
