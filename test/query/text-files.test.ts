import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEngine, type Engine } from "../../query/engine.ts";
import { literal } from "../../query/identifier.ts";
import { parquetRows } from "../../query/parquet-files.ts";
import { csvRows, jsonLinesRows, textColumn } from "../../query/text-files.ts";
import { createSinks, type Sinks } from "../../sinks/registry.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { messagesOf, requestFor } from "../sinks/arrow.ts";
import { testTools } from "../support/tools.ts";

interface Case {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
}

let folder: string;
let cases: readonly Case[];
let sinks: Sinks;
let engine: Engine;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-text-values-"));
  const script = join(import.meta.dirname, "../sinks/arrow_types.py");
  cases = JSON.parse((await execa(testTools().environmentPython, [script, "make", folder])).stdout) as readonly Case[];
  sinks = createSinks({ baseDir: folder });
  engine = await openEngine({ scratch: join(folder, "scratch") });
});
afterAll(async () => {
  engine?.[Symbol.dispose]();
  await sinks?.close();
  await rm(folder, { recursive: true });
});

/** The first and the last microsecond of 64 bits, of which DuckDB makes infinities in Parquet. In three batches. */
const isBeyond = ({ type, rows }: Case): boolean => type === "timestamp[us]" && rows === 5;
/** What Parquet keeps in another type, or DuckDB reads from it in another. */
const otherInParquet = /^null$|date64|timestamp\[ns, tz=|decimal256|uuid/;
const withoutText = /union|interval|run_end/;

test("values of CSV and JSON Lines come back as those of Parquet do, type by type", async () => {
  const compared: string[] = [];
  for (const each of cases.filter((one) => !withoutText.test(one.type))) {
    const { name, type } = each;
    const parquet = await write("parquet", name).catch(() => null);
    for (const scheme of ["csv", "jsonl"] as const) {
      const { rows, staged } = await write(scheme, name);
      const types = await typesOf(rows);
      if (isBeyond(each)) {
        await expect(all(`from ${rows}`)).rejects.toThrow("out of range");
        continue;
      }
      if (types.includes("JSON") || parquet === null || otherInParquet.test(type) || staged.columns.length > 500) {
        expect(Number((await all(`select count(*) from ${rows}`))[0]![0]), `${scheme} of ${name}`).toBe(staged.rowsWritten);
        continue;
      }
      expect(types, `${scheme} of ${name}, ${type}`).toEqual(await typesOf(parquet.rows));
      expect(await all(`from ${rows} except all from ${parquet.rows}`), `${scheme} of ${name}, ${type}`).toEqual([]);
      expect(await all(`from ${parquet.rows} except all from ${rows}`), `${scheme} of ${name}, ${type}`).toEqual([]);
      compared.push(type);
    }
  }
  for (const type of [
    "bool",
    "uint64",
    "double",
    "halffloat",
    "string",
    "binary",
    "duration[ns]",
    "timestamp[ns]",
    "time64[ns]",
    "list<item: int32>",
  ])
    expect(compared).toContain(type);
});

test("text that only a strict reader keeps apart stays what it was", async () => {
  const path = join(folder, "strict.csv");
  await writeFile(path, 'a,A,"b,""x"\n,"",""""\n" x\r\ny", ,z\0w\n');
  const columns = ["a", "A", "b"].map((name) => textColumn({ name, type: "string" }));
  expect(await all(`from ${csvRows(`[${literal(path)}]`, columns, 60)}`)).toEqual([
    [null, "", '"'],
    [" x\r\ny", " ", "z\0w"],
  ]);
  const lines = join(folder, "strict.jsonl");
  await writeFile(lines, '{"a":null,"A":"","":"\\u0000","q/~\\"":18446744073709551615}\n');
  const names = ["a", "A", "", 'q/~"'];
  const read = jsonLinesRows(
    `[${literal(lines)}]`,
    names.map((name, at) => textColumn({ name, type: at === 3 ? "uint64" : "string" })),
    60,
  );
  expect(await all(`from ${read}`)).toEqual([[null, "", "\0", 18446744073709551615n]]);
});

test("rows of tens of megabytes are read, of files that have such", async () => {
  const path = join(folder, "long.csv");
  const length = 40_000_000;
  await writeFile(path, `a,b\n${"x".repeat(length)},1\n"y\n",2\n`);
  const columns = [textColumn({ name: "a", type: "string" }), textColumn({ name: "b", type: "int8" })];
  expect(await all(`select length(c0), c1 from ${csvRows(`[${literal(path)}]`, columns, length + 20)}`)).toEqual([
    [BigInt(length), 1],
    [2n, 2],
  ]);
  const lines = join(folder, "long.jsonl");
  await writeFile(lines, `{"a":"${"x".repeat(length)}","b":1}\n{"a":"y","b":2}\n`);
  expect(await all(`select length(c0), c1 from ${jsonLinesRows(`[${literal(lines)}]`, columns, length + 40)}`)).toEqual([
    [BigInt(length), 1],
    [1n, 2],
  ]);
});

async function write(scheme: "csv" | "jsonl" | "parquet", name: string): Promise<{ rows: string; staged: StagedOutput }> {
  const uri = `${scheme}://${scheme}/${name}`;
  const sink = sinks.forUri(uri);
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri }));
  for (const message of messages) await writer.write(message);
  const staged = await writer.stage();
  await sink.commit(staged);
  const [file] = (await readdir(join(folder, scheme, name))).filter((each) => each.endsWith(`.${scheme}`));
  const path = join(folder, scheme, name, file!);
  const list = `[${literal(path)}]`;
  if (scheme === "parquet") return { rows: parquetRows(list, staged.columns), staged };
  const { size } = await stat(path);
  return { rows: (scheme === "csv" ? csvRows : jsonLinesRows)(list, staged.columns.map(textColumn), size), staged };
}

async function all(sql: string): Promise<readonly unknown[][]> {
  return (await engine.connection.runAndReadAll(sql)).getRows();
}

async function typesOf(rows: string): Promise<readonly string[]> {
  return (await all(`select column_type from (describe from ${rows})`)).map(([type]) => String(type));
}
