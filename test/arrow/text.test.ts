import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBatchReader } from "../../arrow/column.ts";
import { jsonReader, textReader } from "../../arrow/text.ts";
import { messagesOf } from "../sinks/arrow.ts";
import { testTools } from "../support/tools.ts";

interface Case {
  readonly name: string;
  readonly type: string;
  readonly texts: readonly (string | null)[];
}

let folder: string;
let cases: readonly Case[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-arrow-"));
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, "texts.py"), folder]);
  cases = JSON.parse(stdout) as readonly Case[];
});
afterAll(() => rm(folder, { recursive: true }));

/** What `read` makes of each value of the stream's second column. */
async function readAll<T>(name: string, read: (column: Parameters<typeof textReader>[0]) => (row: number) => T): Promise<readonly T[]> {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const reader = createBatchReader(schema);
  return messages.flatMap((message) => {
    const batch = reader.read(message);
    if (batch === null) return [];
    const [, column] = batch.columns;
    const at = read(column!);
    return Array.from({ length: batch.rows }, (_, row) => at(row));
  });
}

test("each value of what pyarrow wrote has its text, type by type", async () => {
  expect(cases.length).toBeGreaterThan(50);
  for (const { name, type, texts } of cases) expect([type, await readAll(name, textReader)]).toEqual([type, texts]);
});

test("each value has its JSON: numbers as such, all else as its text", async () => {
  for (const { name, type, texts } of cases) {
    const json = await readAll(name, jsonReader);
    const plain = json.map((text) => {
      const value: unknown = JSON.parse(text);
      return value === null || typeof value === "string" ? value : text;
    });
    expect([type, plain]).toEqual([type, texts]);
    if (/^(decimal|date|string)/.test(type)) expect(json.every((text) => /^(null|".*")$/.test(text))).toBe(true);
  }
});

test("a message that says more than it has is refused, wherever it is cut or changed", async () => {
  const { schema, messages } = messagesOf(await readFile(join(folder, "0.arrows")));
  const [batch] = messages as [(typeof messages)[number]];
  const refused = { code: "SINK_SCHEMA" };
  const read = (bytes: Uint8Array) => createBatchReader(schema).read({ ...batch, bytes });
  expect(read(batch.bytes)?.rows).toBe(3);
  for (let length = 0; length < batch.bytes.length; length += 1) {
    let found;
    try {
      found = read(batch.bytes.subarray(0, length));
    } catch (error) {
      expect(error).toMatchObject(refused);
    }
    expect(found?.rows ?? 3).toBe(3);
  }
  // Whatever single byte is wrong: refused, or read without leaving the message.
  for (let at = 8; at < batch.bytes.length; at += 1) {
    const bytes = new Uint8Array(batch.bytes);
    bytes[at]! ^= 0x7f;
    try {
      const found = read(bytes);
      for (const column of found?.columns ?? []) for (let row = 0; row < Math.min(column.length, 3); row += 1) textReader(column)(row);
    } catch (error) {
      expect(error).toMatchObject(refused);
    }
  }
});
