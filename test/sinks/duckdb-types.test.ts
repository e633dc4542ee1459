import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDuckdbSink } from "../../sinks/duckdb.ts";
import { duckdbPython } from "../support/duckdb-python.ts";
import { messagesOf, requestFor } from "./arrow.ts";

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly refused?: string;
  readonly message?: string;
}

const script = join(import.meta.dirname, "duckdb_types.py");
let folder: string;
let python: string;
let cases: readonly Case[];
let sink: ReturnType<typeof createDuckdbSink>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-types-"));
  python = await duckdbPython();
  cases = await run<readonly Case[]>("make");
  sink = createDuckdbSink({ baseDir: folder });
});
afterAll(async () => {
  await sink.close();
  await rm(folder, { recursive: true });
});

test("another DuckDB reads back what pyarrow gave, type by type", { timeout: 300_000 }, async () => {
  const kept = cases.filter(({ refused }) => refused === undefined);
  expect(kept.length).toBeGreaterThan(20);
  for (const { name, rows } of kept) {
    const staged = await write(name);
    expect([name, staged.rowsWritten, staged.rowsReadBack]).toEqual([name, rows, rows]);
    await sink.commit(staged);
  }
  expect(await run("compare")).toEqual([]);
});

test("what would change is refused, by column and type or row", async () => {
  const refused = cases.filter((one) => one.refused !== undefined);
  expect(refused.length).toBeGreaterThan(20);
  for (const { name, refused: code, message } of refused) {
    const failure = await write(name, "refused").then(
      () => null,
      (error: unknown) => error as Error & { readonly code: string },
    );
    expect([name, failure?.code, failure?.message]).toEqual([name, code, expect.stringContaining(message!)]);
    expect(failure?.message).toMatch(/columns? ("[ac]|3 )/);
  }
  expect(await readdir(join(folder, "refused"), { recursive: true })).toEqual([]);
});

async function write(name: string, below = "out") {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri: `duckdb://${below}/${name}.duckdb?table=t` }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

async function run<T>(verb: string): Promise<T> {
  const { stdout } = await execa(python, [script, verb, folder]);
  return JSON.parse(stdout) as T;
}
