import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createParquetSink } from "../../sinks/parquet.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { runPython } from "../support/python.ts";
import { messagesOf, requestFor } from "./arrow.ts";

let baseDir: string;
let sink: ReturnType<typeof createParquetSink>;
let outputs = 0;
beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), "casparian-partition-"));
  sink = createParquetSink({ baseDir });
});
afterAll(async () => {
  await sink.close();
  await rm(baseDir, { recursive: true });
});

describe("values are read back as they were given, by pyarrow and by DuckDB", () => {
  const texts = [
    "a/b",
    "x=y",
    "100%",
    "%41",
    "sp ace",
    " ",
    "ümlaut 数据 𝄞",
    "",
    null,
    ".",
    "..",
    "NULL",
    "null",
    "nan",
    "007",
    "2026-01-02",
  ];
  const more = ["A", "a", "a+b", "a:b", "tab\t", "line\n", `~*"'?#&!()`, "\\", "x".repeat(250)];

  test("texts", async () => {
    const given = [...texts, ...more];
    const uri = newUri("s");
    await commit(
      await arrow(`pa.table({"s": pa.array(json.loads(${JSON.stringify(JSON.stringify(given))})), "n": range(${given.length})})`),
      uri,
    );
    expect(await readByPyarrow(uri, `("s", pa.string())`)).toEqual(given.map((s, n) => [n, s]));
    expect(await readByDuckDB(uri, "{'s': VARCHAR}", "s")).toEqual(given.map((s, n) => [n, s]));
  });

  test("dates, numbers and booleans, also from dictionaries and views", async () => {
    const table = `pa.table({
      "n": [0, 1, 2],
      "d": [dt.date(2026, 1, 2), None, dt.date(1, 1, 1)],
      "i": pa.array([2**63 - 1, None, -(2**63)], pa.int64()),
      "v": pa.array(["a string that is longer than twelve bytes", "x", None], pa.string_view()),
      "c": pa.array(["é", None, "x"]).dictionary_encode()})`;
    const uri = newUri("d,i,v,c");
    await commit(await arrow(table), uri);
    const long = "a string that is longer than twelve bytes";
    const types = `("d", pa.date32()), ("i", pa.int64()), ("v", pa.string()), ("c", pa.string())`;
    const expected = [
      [0, "2026-01-02", "9223372036854775807", long, "é"],
      [1, null, null, "x", null],
      [2, "0001-01-01", "-9223372036854775808", null, "x"],
    ];
    expect(await readByPyarrow(uri, types)).toEqual(expected);
    expect(await readByDuckDB(uri, "{'d': DATE, 'i': BIGINT, 'v': VARCHAR, 'c': VARCHAR}", "d, i, v, c")).toEqual(expected);
    const others = newUri("b,u,w");
    const small = `pa.table({"n": [0, 1], "b": [True, False], "u": pa.array([2**64 - 1, 0], pa.uint64()), "w": pa.array([0, 86400000], pa.date64())})`;
    const staged = await commit(await arrow(small), others);
    expect(staged.columns.slice(0, 4).map(({ name, type }) => `${name} ${type}`)).toEqual([
      "n int64",
      "b bool",
      "u uint64",
      "w date32[day]",
    ]);
    expect(await readByDuckDB(others, "{'b': BOOLEAN, 'u': UBIGINT, 'w': DATE}", "b, u, w")).toEqual([
      [0, "true", "18446744073709551615", "1970-01-01"],
      [1, "false", "0", "1970-01-02"],
    ]);
  });

  test("a folder of several results, with the columns of folders left out of the files", async () => {
    const uri = newUri("k");
    for (const number of [1, 2]) {
      const lineage = { ...requestFor(messagesOf(await arrow(`pa.table({"k": ["a"]})`)).schema).lineage, fileVersionId: String(number) };
      await commit(await arrow(`pa.table({"k": ["a", "b"], "n": [${number}0, ${number}1]})`), uri, { lineage });
    }
    const names = await readdir(folderOf(uri));
    expect(names.toSorted()).toEqual([
      "_casparian_partition.json",
      "cf_result=trades.v1.aaaaaaaa.bbbbbbbb",
      "cf_result=trades.v2.aaaaaaaa.bbbbbbbb",
    ]);
    expect(await readByDuckDB(uri, "{'k': VARCHAR}", "k")).toEqual([
      [10, "a"],
      [11, "b"],
      [20, "a"],
      [21, "b"],
    ]);
    const [file] = (await readdir(folderOf(uri), { recursive: true })).filter((name) => name.endsWith(".parquet"));
    const first = "import sys, pyarrow.parquet as pq; print(pq.read_schema(sys.argv[1]).names[0])";
    expect(await runPython(first, [join(folderOf(uri), file!)])).toBe("n");
  });
});

describe("what is refused, by column and before anything is visible", () => {
  const cases: readonly (readonly [what: string, table: string, code: string, message: string])[] = [
    [
      "a missing column",
      `pa.table({"n": [1], "j": [2]})`,
      "SINK_COLUMNS",
      `the column "k", by which the topic is partitioned, is not among the output's: n, j`,
    ],
    ["a column of another case", `pa.table({"n": [1], "K": ["a"]})`, "SINK_COLUMNS", `the column "k"`],
    ["a column that a level would hide", `pa.table({"k": ["a"], "K": ["b"]})`, "SINK_COLUMNS", `the plugin's column "K"`],
    ["a column like the level of results", `pa.table({"k": ["a"], "CF_Result": ["b"]})`, "SINK_COLUMNS", `the plugin's column "CF_Result"`],
    ["no column besides", `pa.table({"k": ["a"]})`, "SINK_COLUMNS", "leaves no other for the files"],
    ["doubles, NaN among them", `pa.table({"n": [1], "k": [float("nan")]})`, "SINK_TYPE", `column "k" is of type double`],
    ["times", `pa.table({"n": [1], "k": [dt.datetime(2026, 1, 2)]})`, "SINK_TYPE", `column "k" is of type timestamp[us]`],
    ["lists", `pa.table({"n": [1], "k": [["a"]]})`, "SINK_TYPE", `column "k" is of type list<`],
    ["a text of 1 MB", `pa.table({"n": [1, 2], "k": ["a", "x" * 1_000_000]})`, "SINK_VALUE", `it is in row 2 of the output`],
    [
      "Hive's word for null",
      `pa.table({"n": [1], "k": ["__HIVE_DEFAULT_PARTITION__"]})`,
      "SINK_VALUE",
      "which readers of partitioned folders take for null",
    ],
    [
      "a date of no year that all readers know",
      `pa.table({"n": [1], "k": pa.array([10**7], pa.date32())})`,
      "SINK_VALUE",
      `readers take the years 1 to 9999; it is in row 1`,
    ],
    ["too many partitions", `pa.table({"n": range(1001), "k": range(1001)})`, "SINK_PARTITIONS", "more than 1000 partitions"],
  ];
  let streams: ReadonlyMap<string, Uint8Array>;
  beforeAll(async () => {
    const made = await arrows(cases.map(([, table]) => table));
    streams = new Map(cases.map(([what], i) => [what, made[i]!]));
  });
  test.each(cases)("%s", async (what, _table, code, message) => {
    const uri = newUri("k");
    const failing = stage(streams.get(what)!, uri);
    await expect(failing).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
      hint: expect.any(String) as string,
    });
    const left = await readdir(join(folderOf(uri), ".."), { recursive: true }).catch(() => []);
    expect(left.filter((path) => path !== "out" && path !== "out/_casparian_partition.json")).toEqual([]);
  });

  test("too many combinations of few values", async () => {
    const failing = stage(
      await arrow(`pa.table({"n": range(1100), "k": [i // 40 for i in range(1100)], "j": [i % 40 for i in range(1100)]})`),
      newUri("k,j"),
    );
    await expect(failing).rejects.toMatchObject({ code: "SINK_PARTITIONS", message: expect.stringContaining("k=25/j=0") as string });
  });

  test("a folder with results of another layout", async () => {
    const uri = newUri("k");
    const table = await arrow(`pa.table({"k": ["a"], "j": ["b"], "n": [1]})`);
    await commit(table, uri);
    const folder = uri.replace(/\?.*/, "");
    for (const other of [`${folder}?partition=j`, `${folder}?partition=k,j`, folder])
      await expect(stage(table, other)).rejects.toMatchObject({
        code: "SINK_LAYOUT",
        message: expect.stringContaining("partitioned by k") as string,
      });
    const plain = newUri("k").replace(/\?.*/, "");
    await commit(table, plain);
    await expect(stage(table, `${plain}?partition=k`)).rejects.toMatchObject({ code: "SINK_LAYOUT" });
    expect((await readdir(join(folderOf(plain), ".."), { recursive: true })).filter((path) => path.includes("_casparian"))).toEqual([]);
  });

  test("two values that the file system takes for one", async () => {
    const uri = newUri("k");
    const { schema, messages } = messagesOf(await arrow(`pa.table({"k": ["a"], "n": [1]})`));
    const writer = await sink.open(requestFor(schema, { uri }));
    const staging = join(folderOf(uri), "../_casparian_staging/out.partitioned");
    const [attempt] = await readdir(join(staging, (await readdir(staging))[0]!));
    await mkdir(join(staging, (await readdir(staging))[0]!, attempt!, "k=a"));
    for (const message of messages) await writer.write(message);
    await expect(writer.stage()).rejects.toMatchObject({ code: "SINK_VALUE", message: expect.stringContaining("k=a") as string });
  });
});

test("many rows in many partitions take no more memory than fewer, and their row groups are not tiny", async () => {
  const stream = join(baseDir, "many.arrows");
  await writeFile(stream, await arrow(`pa.table({"k": [i % 100 for i in range(100_000)], "n": range(100_000), "r": range(100_000)})`));
  const [small, large] = [await writeMuch(stream, 60), await writeMuch(stream, 300)];
  expect([small.rows, large.rows]).toEqual([6_000_000, 30_000_000]);
  // 96 and 480 MB of Arrow; both more than may wait.
  expect(large.peakBytes - small.peakBytes).toBeLessThan(250 * 1024 * 1024);
  const groups = `import sys, pathlib, pyarrow.parquet as pq
files = [pq.ParquetFile(f).metadata for f in pathlib.Path(sys.argv[1]).rglob("*.parquet")]
print(len(files), sum(f.num_row_groups for f in files))`;
  const [files, rowGroups] = (await runPython(groups, [large.folder])).split(" ").map(Number);
  expect(files).toBe(100);
  expect(rowGroups).toBeGreaterThan(100);
  expect(30_000_000 / rowGroups!).toBeGreaterThan(10_000);
});

function newUri(partition: string): string {
  return `parquet://outputs-${++outputs}/out?partition=${partition}`;
}

function folderOf(uri: string): string {
  return join(baseDir, uri.replace("parquet://", "").replace(/\?.*/, ""));
}

async function stage(stream: Uint8Array, uri: string, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const { schema, messages } = messagesOf(stream);
  const writer = await sink.open(requestFor(schema, { uri, ...changes }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

async function commit(...given: Parameters<typeof stage>): Promise<StagedOutput> {
  const staged = await stage(...given);
  await sink.commit(staged);
  return staged;
}

async function arrow(table: string): Promise<Uint8Array> {
  return (await arrows([table]))[0]!;
}

/** The stream of each table that the Python text makes. */
async function arrows(tables: readonly string[]): Promise<readonly Uint8Array[]> {
  const script = `
import json, sys, datetime as dt, pyarrow as pa
for i, table in enumerate([${tables.join(", ")}]):
    with pa.OSFile(f"{sys.argv[1]}/{i}.arrows", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)`;
  const folder = await mkdtemp(join(baseDir, "tables-"));
  await runPython(script, [folder]);
  return Promise.all(tables.map((_, i) => readFile(join(folder, `${i}.arrows`))));
}

/** `n` and the partition columns, in the order of `n`, these as text. */
async function readByPyarrow(uri: string, types: string): Promise<unknown> {
  const script = `import json, sys, pyarrow as pa, pyarrow.dataset as ds
hive = pa.schema([("cf_result", pa.string()), ("cf_attempt", pa.string()), ${types}])
table = ds.dataset(sys.argv[1], format="parquet", partitioning=ds.partitioning(hive, flavor="hive")).to_table().sort_by("n")
columns = [table["n"].to_pylist()] + [[v if v is None else str(v) for v in table[name].to_pylist()] for name in hive.names[2:]]
print(json.dumps(list(zip(*columns))))`;
  return JSON.parse(await runPython(script, [folderOf(uri)]));
}

async function readByDuckDB(uri: string, types: string, columns: string): Promise<unknown> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const glob = `${folderOf(uri)}/**/*.parquet`;
  const source = `read_parquet('${glob}', hive_partitioning = true, hive_types_autocast = false, hive_types = ${types})`;
  const texts = columns.split(", ").map((column) => `${column}::varchar`);
  const reader = await connection.runAndReadAll(`select n::integer, ${texts.join(", ")} from ${source} order by n`);
  return reader.getRows();
}

async function writeMuch(
  stream: string,
  times: number,
): Promise<{ readonly rows: number; readonly peakBytes: number; readonly folder: string }> {
  const folder = await mkdtemp(join(baseDir, "much-"));
  const script = join(import.meta.dirname, "write-much.ts");
  const { stdout } = await execa(process.execPath, [script, folder, stream, String(times), "parquet", "?partition=k"]);
  return { ...(JSON.parse(stdout) as { rows: number; peakBytes: number }), folder };
}
