import { mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createParquetSink } from "../../sinks/parquet.ts";
import { openMessage } from "../../arrow/message.ts";
import { vectorIn } from "../../arrow/flatbuffer.ts";
import { createSinks } from "../../sinks/registry.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { testTools } from "../support/tools.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";

let baseDir: string;
let sink: ReturnType<typeof createParquetSink>;
let outputs = 0;

beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), "casparian-parquet-"));
  sink = createParquetSink({ baseDir });
});
afterAll(async () => {
  await sink.close();
  await rm(baseDir, { recursive: true });
});

describe("a large output", () => {
  test("is one file with many row groups that pyarrow reads as it was given", async () => {
    const stream = join(baseDir, "large.arrows");
    await python("large_table.py", "make", stream);
    const staged = await stage(await readFile(stream), { uri: "parquet://large" });
    await sink.commit(staged);
    expect(await visible("large")).toEqual(["trades.out.v12.aaaaaaaa.bbbbbbbb.parquet"]);
    const facts = JSON.parse(await python("large_table.py", "describe", stream, staged.target)) as Record<string, unknown>;
    expect(facts).toMatchObject({
      types: true,
      values: true,
      rows: 400_000,
      rowsOfGroups: 400_000,
      groupsAgree: true,
      bytesOfGroups: true,
      nulls: 57_143,
    });
    expect(facts["rowGroups"]).toBeGreaterThan(3);
    expect((facts["idBounds"] as number[][]).flat()).toEqual((facts["idBounds"] as number[][]).flat().toSorted((a, b) => a - b));
    // A reader can pass over files and row groups of other jobs.
    const bounds = [lineage.sourceHash, lineage.jobId, lineage.fileVersionId, "2026-01-02 03:04:05.678000+00:00", lineage.pluginVersion];
    expect((facts["lineageBounds"] as string[]).map((text) => JSON.parse(text) as unknown)).toEqual([[...bounds, ...bounds]]);
    // The plugin's metadata is kept but for keys that are the sink's own.
    expect(facts["metadata"]).toEqual({ own: "kept" });
    expect(facts["keyValues"]).toMatchObject({
      own: "kept",
      "casparian.job": lineage.jobId,
      "casparian.attempt": "1",
      "casparian.output": "out",
      "casparian.file_version": "12",
      "casparian.source_hash": lineage.sourceHash,
      "casparian.artifact": "b".repeat(64),
      "casparian.plugin": "trades@1.2.3",
    });
  });

  test("takes no more memory than a smaller one", async () => {
    const stream = join(baseDir, "memory.arrows");
    await writeFile(stream, numbers(500_000));
    // 8 and 400 MB of Arrow; the second much larger than what the process may take.
    const [small, large] = [await writeMuch(stream, 2), await writeMuch(stream, 100)];
    expect([small.rows, large.rows]).toEqual([1_000_000, 50_000_000]);
    expect(large.peakBytes).toBeLessThan(320 * 1024 * 1024);
    expect(large.peakBytes - small.peakBytes).toBeLessThan(120 * 1024 * 1024);
  });
});

describe("the file's name", () => {
  const names: readonly (readonly [relPath: string, output: string, expected: string])[] = [
    ["trades.csv", "trades", "trades.v12.aaaaaaaa.bbbbbbbb.parquet"],
    ["deep/down/trades.csv.gz", "trades", "trades.csv.v12.aaaaaaaa.bbbbbbbb.parquet"],
    ["trades.csv", "rejects", "trades.rejects.v12.aaaaaaaa.bbbbbbbb.parquet"],
    ["no suffix", "trades", "no_suffix.v12.aaaaaaaa.bbbbbbbb.parquet"],
    ["Ümläute & 数据.csv", "trades", "Ümläute_数据.v12.aaaaaaaa.bbbbbbbb.parquet"],
    // Readers of folders pass over names that begin like these.
    ["_hidden.csv", "trades", "hidden.v12.aaaaaaaa.bbbbbbbb.parquet"],
    [".env", "trades", "env.v12.aaaaaaaa.bbbbbbbb.parquet"],
    ["%%%.csv", "trades", "file.v12.aaaaaaaa.bbbbbbbb.parquet"],
    [`${"数".repeat(200)}.csv`, "trades", `${"数".repeat(33)}.v12.aaaaaaaa.bbbbbbbb.parquet`],
  ];
  test.each(names)("%s, output %s → %s", async (relPath, output, expected) => {
    const staged = await stage(numbers(1), { uri: "parquet://names/trades", relPath, output });
    expect(staged.target).toBe(join(baseDir, "names/trades", expected));
    await sink.commit(staged);
    expect(await visible("names/trades")).toContain(expected);
  });

  test("staged files are where readers of folders don't look", async () => {
    const uri = newUri();
    await stage(numbers(1), { uri });
    expect(await visible(uri.replace("parquet://", ""))).toEqual([
      "_casparian_staging",
      expect.stringMatching(/^_casparian_staging\/9007199254740993-1-out-[0-9a-f]{8}\.parquet\.staged$/),
    ]);
  });

  test("an absolute URI is not below the working folder, a relative one is", async () => {
    expect((await stage(numbers(1), { uri: `parquet://${baseDir}/absolute` })).target).toMatch(`${baseDir}/absolute/trades.out.`);
    expect((await stage(numbers(1), { uri: "parquet://./relative/" })).target).toMatch(`${baseDir}/relative/trades.out.`);
  });
});

describe("what is refused", () => {
  test("no columns, and names that no reader could tell from others", async () => {
    await expect(stage(tableToIPC(tableFromArrays({}), "stream"))).rejects.toMatchObject({ code: "SINK_COLUMNS" });
    for (const name of ["_cf_job_id", "_CF_Source_Hash"])
      await expect(stage(tableToIPC(tableFromArrays({ [name]: [1] }), "stream"))).rejects.toThrow(
        `column "${name}" has the name of a lineage`,
      );
    const twice = await arrow(`pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])`);
    await expect(stage(twice)).rejects.toThrow(`two columns of the output are named "a"`);
  });

  test("values that their new unit can't hold, by column", async () => {
    const refused = [
      [`pa.table({"d": pa.array([86400001], pa.date64())})`, `column "d" of type date64[ms] holds 86400001`],
      [`pa.table({"t": pa.array([2**62], pa.timestamp("s"))})`, `column "t" of type timestamp[s] holds 4611686018427387904`],
      [`pa.table({"s": pa.array([2**31 - 1], pa.int32()).view(pa.time32("s"))})`, `column "s" of type time32[s] holds 2147483647`],
      [
        `pa.table({"l": pa.array([[{"d": 5}]], pa.list_(pa.struct([("d", pa.date64())])))})`,
        `column "l.item.d" of type date64[ms] holds 5`,
      ],
    ] as const;
    for (const [table, message] of refused) {
      const uri = newUri();
      const failing = stage(await arrow(table), { uri });
      await expect(failing).rejects.toMatchObject({ code: "SINK_VALUE" });
      await expect(failing).rejects.toThrow(message);
      expect(await visible(uri.replace("parquet://", ""))).toEqual([]);
    }
  });

  test("what is no Arrow data, and the encoder goes on with the next output", async () => {
    const { schema, messages } = messagesOf(numbers(1000));
    const garbage = { ...schema, bytes: schema.bytes.map((byte, index) => (index < 8 ? byte : byte ^ 0x5a)) };
    await expect(sink.open(requestFor(garbage))).rejects.toMatchObject({ code: "SINK_SCHEMA" });
    const batch = messages[0]!;
    const damaged = [
      batch.bytes.slice(0, -64),
      // The encoder panics where a buffer lies outside of its message, and its thread is replaced.
      withNumber(batch.bytes, { slot: 2, entry: 1, at: 0, value: -8n }),
      withNumber(batch.bytes, { slot: 2, entry: 1, at: 8, value: 2n ** 30n }),
      withNumber(batch.bytes, { slot: 1, entry: 0, at: 0, value: 999_999n }),
    ];
    for (const [index, bytes] of damaged.entries()) {
      const uri = newUri();
      const writer = await sink.open(requestFor(schema, { uri }));
      await writer.write({ ...batch, bytes });
      await expect(writer.stage(), `batch ${index}`).rejects.toMatchObject({
        code: "SINK_ENCODING",
        message: expect.stringContaining("the Parquet encoder failed: "),
      });
      expect(await visible(uri.replace("parquet://", ""))).toEqual([]);
    }
    expect(await stage(numbers(10))).toMatchObject({ rowsWritten: 10, rowsReadBack: 10 });
  });

  test("more of an output that has ended, and a sink that was closed", async () => {
    const { schema, messages } = messagesOf(numbers(1));
    const writer = await sink.open(requestFor(schema, { uri: newUri() }));
    await writer.stage();
    await expect(writer.write(messages[0]!)).rejects.toMatchObject({ code: "SINK_CLOSED" });
    const closed = createParquetSink({ baseDir });
    await closed.close();
    const late = await closed.open(requestFor(schema, { uri: newUri() }));
    await expect(late.stage()).rejects.toMatchObject({ code: "SINK_CLOSED" });
  });
});

describe("what the system refuses is said in its words, and nothing is left", () => {
  test("a file where a folder should be", async () => {
    await writeFile(join(baseDir, "a-file"), "");
    const failing = stage(numbers(1), { uri: "parquet://a-file/below" });
    await expect(failing).rejects.toMatchObject({ code: "SINK_REFUSED", data: { systemCode: "ENOTDIR" } });
    await expect(failing).rejects.toThrow("ENOTDIR: not a directory");
  });

  test("no room for the file", async () => {
    const stream = join(baseDir, "room.arrows");
    const folder = await mkdtemp(join(baseDir, "no-room-"));
    await writeFile(stream, await arrow(`pa.table({"r": np.random.default_rng(1).normal(size=500_000)})`));
    const script = `ulimit -f 2000; exec "$@"`;
    const { stdout } = await execa("sh", [
      "-c",
      script,
      "sh",
      process.execPath,
      join(import.meta.dirname, "write-much.ts"),
      folder,
      stream,
      "9",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("EFBIG: file too large") });
    expect(await readdir(folder, { recursive: true })).toEqual(["out"]);
  });
});

describe("a commit", () => {
  test("never touches a file that is not a result of the same file and plugin", async () => {
    const uri = newUri();
    const staged = await stage(numbers(1), { uri });
    await writeFile(staged.target, "a user's file");
    await expect(sink.commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
    expect(await readFile(staged.target, "utf8")).toBe("a user's file");
    // The first digits of its hash are those of another's.
    const other = await stage(numbers(2), { uri: newUri(), artifactHash: `${"b".repeat(8)}${"0".repeat(56)}` });
    await sink.commit(other);
    await rename(other.target, staged.target);
    await expect(sink.commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
    await rm(staged.target);
    await sink.commit(staged);
    expect(await visible(uri.replace("parquet://", ""))).toEqual(["trades.out.v12.aaaaaaaa.bbbbbbbb.parquet"]);
  });

  test("says so when what was staged is gone or is another file", async () => {
    const staged = await stage(numbers(1000), { uri: newUri() });
    const path = join(dirname(staged.target), "_casparian_staging", String(staged.staged["name"]));
    await truncate(path, staged.sizeBytes - 1);
    await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    await rm(path);
    await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    // Another attempt's result is no proof that this one was committed.
    await sink.commit(await stage(numbers(1000), { uri: staged.uri, attempt: 2 }));
    await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    await expect(sink.commit({ ...staged, staged: {} })).rejects.toMatchObject({ code: "STAGED_LOST" });
  });

  test("leaves the staging folder to those who still use it", async () => {
    const uri = newUri();
    const [first, second] = [await stage(numbers(1), { uri }), await stage(numbers(1), { uri, output: "second" })];
    await mkdir(join(dirname(first.target), "_casparian_staging"), { recursive: true });
    await sink.commit(first);
    expect(await visible(uri.replace("parquet://", ""))).toHaveLength(3);
    await sink.commit(second);
    expect(await visible(uri.replace("parquet://", ""))).toHaveLength(2);
  });
});

test("many outputs at once are written by two threads, each whole", async () => {
  const streams = Array.from({ length: 24 }, (_, index) => numbers(20_000 * (index + 1), 5));
  const staged = await Promise.all(streams.map((stream) => stage(stream, { uri: newUri() })));
  expect(staged.map(({ rowsReadBack }) => rowsReadBack)).toEqual(streams.map((_, index) => 20_000 * (index + 1)));
});

test("the registry knows its schemes, and says which when asked for another", async () => {
  const sinks = createSinks({ baseDir });
  expect(sinks.forUri("PARQUET://output")).toBe(sinks.forUri("parquet:///abs"));
  expect(() => sinks.forUri("mongo://x")).toThrow("no sink is known for mongo://");
  for (const uri of ["output", "parquet:", "parquet://", "://x", "parquet://a\0b"])
    expect(() => sinks.forUri(uri)).toThrow("is not a sink URI");
  await sinks.close();
});

function newUri(): string {
  return `parquet://outputs/${++outputs}`;
}

async function stage(stream: Uint8Array, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const { schema, messages } = messagesOf(stream);
  const writer = await sink.open(requestFor(schema, { uri: newUri(), ...changes }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

/** A record batch with another number in its list of nodes (slot 1) or buffers (slot 2). */
function withNumber(
  batch: Uint8Array,
  { slot, entry, at, value }: { readonly slot: number; readonly entry: number; readonly at: number; readonly value: bigint },
): Uint8Array {
  const bytes = new Uint8Array(batch);
  const { header } = openMessage(bytes);
  header.view.setBigInt64((vectorIn(header, slot)?.at ?? 0) + 16 * entry + at, value, true);
  return bytes;
}

async function visible(folder: string): Promise<readonly string[]> {
  return (await readdir(join(baseDir, folder), { recursive: true })).toSorted();
}

/** The stream of a table that apache-arrow can't make. */
async function arrow(table: string): Promise<Uint8Array> {
  const path = join(baseDir, "table.arrows");
  const script = `
import numpy as np, pyarrow as pa
table = ${table}
with pa.OSFile(r"${path}", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)`;
  await execa(testTools().environmentPython, ["-c", script]);
  return readFile(path);
}

async function python(script: string, ...args: readonly string[]): Promise<string> {
  return (await execa(testTools().environmentPython, [join(import.meta.dirname, script), ...args])).stdout;
}

async function writeMuch(stream: string, times: number): Promise<{ readonly rows: number; readonly peakBytes: number }> {
  const folder = await mkdtemp(join(baseDir, "much-"));
  const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "write-much.ts"), folder, stream, String(times)]);
  return JSON.parse(stdout) as { rows: number; peakBytes: number };
}
