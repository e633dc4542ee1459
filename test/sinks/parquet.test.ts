import { mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import { createSinks } from "../../sinks/registry.ts";
import { testTools } from "../support/tools.ts";
import { lineage, numbers } from "./arrow.ts";
import { openParquetFolder } from "./parquet-folder.ts";

const { baseDir, sink, newUri, stage, visible, close } = await openParquetFolder();
afterAll(close);

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

async function python(script: string, ...args: readonly string[]): Promise<string> {
  return (await execa(testTools().environmentPython, [join(import.meta.dirname, script), ...args])).stdout;
}

async function writeMuch(stream: string, times: number): Promise<{ readonly rows: number; readonly peakBytes: number }> {
  const folder = await mkdtemp(join(baseDir, "much-"));
  const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "write-much.ts"), folder, stream, String(times)]);
  return JSON.parse(stdout) as { rows: number; peakBytes: number };
}
