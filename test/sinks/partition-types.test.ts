import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createParquetSink } from "../../sinks/parquet.ts";
import { testTools } from "../support/tools.ts";
import { messagesOf, requestFor } from "./arrow.ts";

let folder: string;
let sink: ReturnType<typeof createParquetSink>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-partition-types-"));
  sink = createParquetSink({ baseDir: folder });
});
afterAll(async () => {
  await sink.close();
  await rm(folder, { recursive: true });
});

test("rows of every type are the same in two partitions as in one file, for pyarrow", async () => {
  const names = await python<readonly string[]>("make");
  expect(names.length).toBeGreaterThan(100);
  await Promise.all(
    names.flatMap((name) => [write(name, `parquet://plain/${name}`), write(name, `parquet://partitioned/${name}?partition=k`)]),
  );
  expect(await python("compare")).toEqual([]);
});

async function write(name: string, uri: string): Promise<void> {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri }));
  // As the bridge does it: what a message held is gone when the next one comes.
  const buffer = new Uint8Array(Math.max(0, ...messages.map(({ bytes }) => bytes.length)));
  for (const { bytes, ...message } of messages) {
    buffer.set(bytes);
    await writer.write({ ...message, bytes: buffer.subarray(0, bytes.length) });
    buffer.fill(0xff);
  }
  await sink.commit(await writer.stage());
}

async function python<T>(verb: string): Promise<T> {
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, "partition_types.py"), verb, folder]);
  return JSON.parse(stdout) as T;
}
