import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBatchReader } from "../../arrow/column.ts";
import { createRowKeeper } from "../../arrow/keep-rows.ts";
import { endOfStream } from "../../arrow/message.ts";
import { messagesOf } from "../sinks/arrow.ts";
import { testTools } from "../support/tools.ts";

let folder: string;
const python = (...args: readonly string[]) =>
  execa(testTools().environmentPython, [join(import.meta.dirname, "filtered.py"), ...args, folder]);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-keep-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The pieces of the rows that are marked, by number, from all batches of a stream. */
async function keep(name: string, isMarked: (row: number) => boolean): Promise<readonly Uint8Array[]> {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const reader = createBatchReader(schema);
  const keepRows = createRowKeeper(reader.schema.fields);
  const pieces: Uint8Array[] = [schema.bytes];
  let first = 0;
  for (const message of messages) {
    const batch = reader.read(message);
    if (batch === null) continue;
    const marks = Uint8Array.from({ length: batch.rows }, (_, row) => (isMarked(first + row) ? 1 : 0));
    pieces.push(keepRows(batch.columns, marks));
    first += batch.rows;
  }
  return pieces;
}

test("of every type the rows that are kept are, for pyarrow, exactly those rows", async () => {
  const names = JSON.parse((await python("make")).stdout) as readonly string[];
  for (const name of names) {
    for (const remainder of [0, 1, 2]) {
      const kept = await keep(name, (row) => row % 3 !== remainder);
      const rest = await keep(name, (row) => row % 3 === remainder);
      await writeFile(join(folder, `${name}.${remainder}.kept`), Buffer.concat([...kept, endOfStream]));
      await writeFile(join(folder, `${name}.${remainder}.rest`), Buffer.concat([...rest, endOfStream]));
    }
  }
  const { differences, compared } = JSON.parse((await python("compare")).stdout) as { differences: string[]; compared: number };
  expect(differences).toEqual([]);
  expect(compared).toBe(names.length * 6);
});

const large = `import sys, pyarrow as pa
texts = [f"a text of more than twelve bytes, number {n}" for n in range(20000)]
columns = {"views": pa.array(texts, pa.string_view()), "kinds": pa.array(texts).dictionary_encode(),
  "lists": pa.array([[t, t] for t in texts], pa.list_view(pa.string())), "nested": pa.array([{"v": t} for t in texts], pa.struct([("v", pa.string_view())]))}
table = pa.table(columns)
with pa.OSFile(sys.argv[1] + "/large.arrows", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)`;

test("one row of many is kept without what views, dictionaries and lists hold of the others", async () => {
  await execa(testTools().environmentPython, ["-c", large, folder]);
  const [, piece] = await keep("large", (row) => row === 12_345);
  expect(piece!.length).toBeLessThan(3_000);
});
