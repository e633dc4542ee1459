import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createParquetSink } from "../../sinks/parquet.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { runPython } from "../support/python.ts";
import { messagesOf, requestFor } from "./arrow.ts";

/** A folder with a sink of Parquet that writes into it. */
export interface ParquetFolder {
  readonly baseDir: string;
  readonly sink: ReturnType<typeof createParquetSink>;
  newUri(): string;
  stage(stream: Uint8Array, changes?: Partial<OpenRequest>): Promise<StagedOutput>;
  /** All that is in a folder below it, in order. */
  visible(folder: string): Promise<readonly string[]>;
  /** The stream of a table that apache-arrow can't make, from pyarrow's words for it. */
  arrow(table: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

export async function openParquetFolder(): Promise<ParquetFolder> {
  const baseDir = await mkdtemp(join(tmpdir(), "casparian-parquet-"));
  const sink = createParquetSink({ baseDir });
  let [outputs, tables] = [0, 0];
  const newUri = (): string => `parquet://outputs/${++outputs}`;
  return {
    baseDir,
    sink,
    newUri,
    async stage(stream, changes = {}) {
      const { schema, messages } = messagesOf(stream);
      const writer = await sink.open(requestFor(schema, { uri: newUri(), ...changes }));
      for (const message of messages) await writer.write(message);
      return writer.stage();
    },
    async visible(folder) {
      return (await readdir(join(baseDir, folder), { recursive: true })).toSorted();
    },
    async arrow(table) {
      const path = join(baseDir, `table-${++tables}.arrows`);
      const script = `
import numpy as np, pyarrow as pa
table = ${table}
with pa.OSFile(r"${path}", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)`;
      await runPython(script);
      return readFile(path);
    },
    async close() {
      await sink.close();
      await rm(baseDir, { recursive: true });
    },
  };
}
