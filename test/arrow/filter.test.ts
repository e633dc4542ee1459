import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBatchReader, type Batch } from "../../arrow/column.ts";
import { runsOf, takeRows } from "../../arrow/filter.ts";
import { endOfStream } from "../../arrow/message.ts";
import { jsonReader } from "../../arrow/text.ts";
import { writeBatch } from "../../arrow/write-batch.ts";
import { messagesOf } from "../sinks/arrow.ts";
import { testTools } from "../support/tools.ts";

let folder: string;
let names: readonly string[];
const python = (verb: string) => execa(testTools().environmentPython, [join(import.meta.dirname, "filtered.py"), verb, folder]);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-filter-"));
  names = JSON.parse((await python("make")).stdout) as readonly string[];
});
afterAll(() => rm(folder, { recursive: true }));

const take = ({ columns }: Batch, marks: Uint8Array, marked: boolean) => {
  const runs = runsOf(marks, marked);
  return writeBatch(
    runs.rows,
    columns.map((column) => takeRows(column, runs)),
  );
};

/** The stream without the rows n with n % 3 = remainder, and these. */
async function split(name: string, remainder: number): Promise<void> {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const reader = createBatchReader(schema);
  const [kept, rest] = [[schema.bytes], [schema.bytes]];
  let first = 0;
  for (const message of messages) {
    const batch = reader.read(message);
    const marks = Uint8Array.from({ length: batch?.rows ?? 0 }, (_, row) => ((first + row) % 3 === remainder ? 1 : 0));
    kept.push(batch === null ? message.bytes : take(batch, marks, false).bytes);
    rest.push(batch === null ? message.bytes : take(batch, marks, true).bytes);
    first += batch?.rows ?? 0;
  }
  await writeFile(join(folder, `${name}.${remainder}.kept`), Buffer.concat([...kept, endOfStream]));
  await writeFile(join(folder, `${name}.${remainder}.rest`), Buffer.concat([...rest, endOfStream]));
}

test("of every type the rows that are taken are, for pyarrow, exactly those rows", async () => {
  for (const name of names) for (const remainder of [0, 1, 2]) await split(name, remainder);
  const { differences, compared } = JSON.parse((await python("compare")).stdout) as { differences: string[]; compared: number };
  expect(differences).toEqual([]);
  expect(compared).toBe(names.length * 6);
  expect(names.length).toBeGreaterThan(120);
});

test("what is taken and the rest are together the whole, whichever rows are marked", async () => {
  const whole = messagesOf(await readFile(join(folder, "sliced.arrows")));
  const nested = messagesOf(await readFile(join(folder, "many.arrows")));
  for (const { schema, messages } of [whole, nested]) {
    const read = (message: (typeof messages)[number]) => createBatchReader(schema).read(message)!;
    const texts = ({ columns, rows }: Batch) => {
      const readers = columns.map(jsonReader);
      return Array.from({ length: rows }, (_, row) => readers.map((json) => json(row)).join());
    };
    const [batch] = messages.map(read) as [Batch];
    const all = texts(batch);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: batch.rows, maxLength: batch.rows, max: 1 }), (marks) => {
        const [kept, rest] = [texts(read(take(batch, marks, false))), texts(read(take(batch, marks, true)))];
        expect(Array.from(marks, (mark) => (mark === 0 ? kept : rest).shift())).toEqual(all);
        expect(kept.length + rest.length).toBe(0);
      }),
      { numRuns: 40 },
    );
  }
});
