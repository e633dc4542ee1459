import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createParquetSink } from "../../sinks/parquet.ts";
import { testTools } from "../support/tools.ts";
import { messagesOf, requestFor } from "./arrow.ts";

interface Case {
  readonly name: string;
  readonly type: string;
  readonly expected: string;
  readonly rows: number;
}

const script = join(import.meta.dirname, "arrow_types.py");
let folder: string;
let cases: readonly Case[];
let sink: ReturnType<typeof createParquetSink>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-types-"));
  cases = await python<readonly Case[]>("make");
  sink = createParquetSink({ baseDir: folder });
});
afterAll(async () => {
  await sink.close();
  await rm(folder, { recursive: true });
});

test("pyarrow reads back what it gave, type by type", async () => {
  const kept = cases.filter(({ expected }) => expected !== "refused");
  expect(kept.length).toBeGreaterThan(100);
  for (const { name, rows } of kept) {
    const staged = await write(name);
    expect([name, staged.rowsWritten, staged.rowsReadBack]).toEqual([name, rows, rows]);
    await sink.commit(staged);
  }
  expect(await python("compare")).toEqual([]);
});

test("a type that would not come back is refused before any row, by column and type", async () => {
  const refused = cases.filter(({ expected }) => expected === "refused");
  expect(refused.length).toBeGreaterThan(10);
  for (const { name } of refused) await expect(write(name), name).rejects.toMatchObject({ code: "SINK_TYPE", hint: expect.any(String) });
  const union = refused.find(({ type }) => type.startsWith("dense_union"));
  await expect(write(union?.name ?? "")).rejects.toThrow(
    'column "c" is of type dense_union<0: int64, 1: string>, which Parquet can\'t keep',
  );
});

test("the description names each column's type as pyarrow does", async () => {
  for (const { name, type, expected } of cases) {
    if (!name.startsWith("case_") || expected === "refused" || type.startsWith("extension<") || type.startsWith("dictionary<values=large"))
      continue;
    const { columns } = await write(name);
    expect([name, columns[0]?.type]).toEqual([name, expected === "exact" ? type : expected]);
  }
});

async function write(name: string) {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri: `parquet://out/${name}` }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

async function python<T>(verb: string): Promise<T> {
  const { stdout } = await execa(testTools().environmentPython, [script, verb, folder]);
  return JSON.parse(stdout) as T;
}
