import { once } from "node:events";
import { cp, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createEncodePool } from "../../sinks/parquet/encode-pool.ts";
import { createParquetSink } from "../../sinks/parquet.ts";
import { swapFolders } from "../../sinks/partition/swap.ts";
import { createPartitionWriter } from "../../sinks/partition/writer.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { lineage, messagesOf, numbersFor, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { failureOf } from "./failure-of.ts";

let baseDir: string;
let sink: ReturnType<typeof createParquetSink>;
let uri: string;
let targets = 0;
beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), "casparian-partition-faults-"));
  sink = createParquetSink({ baseDir: "/nowhere" });
});
afterAll(async () => {
  await sink.close();
  await rm(baseDir, { recursive: true });
});
beforeEach(() => {
  uri = `parquet://${baseDir}/${++targets}/out?partition=day,venue`;
});

const place = (...below: readonly string[]): string => join(baseDir, String(targets), ...below);
const staging = (name: string): string => place("_casparian_staging/out.partitioned", name);
const nameOf = ({ staged }: StagedOutput): string => String(staged["name"]);
const targetOf = ({ staged }: StagedOutput): string => place("out", String(staged["target"]));
const nobody = async (): Promise<boolean> => false;

test("a process that is killed while it writes leaves what the next sweep removes", async () => {
  const child = run("write-without-end.ts", uri);
  const lines = createInterface({ input: child.stdout });
  for (let batch = 0; batch < 12; batch += 1) await once(lines, "line");
  await kill(child);
  expect(await readdir(place("out"))).toEqual(["_casparian_partition.json"]);
  expect(await sink.sweep(uri, nobody)).toHaveLength(1);
  expect(await readdir(place())).toEqual(["out"]);
});

test("a writer that is aborted while it sends what it may no longer hold gives up, and leaves nothing", async () => {
  const pool = createEncodePool(2);
  try {
    const { schema, messages } = messagesOf(numbersFor(uri, 1_000));
    const request = requestFor(schema, { uri });
    // As little as possible may be held, so each of the 21 partitions is a part of its own.
    const limits = { partsMax: 3, partBytes: () => Infinity, pendingBytesMax: () => 0 };
    const partition = ["day", "venue"];
    const writer = await createPartitionWriter({ request, folder: place("out"), pool, partition, onEnd: () => {}, ...limits });
    const writing = failureOf(writer.write(messages[0]!));
    await writer.abort();
    expect(await writing).toMatchObject({ code: "SINK_CLOSED" });
    expect(await readdir(place())).toEqual(["out"]);
  } finally {
    await pool.close();
  }
});

/** What a process that was killed in the midst of a commit of `second` over `first` has left. */
const crashes: Readonly<Record<string, (first: StagedOutput, second: StagedOutput) => Promise<void>>> = {
  "before it began": async () => {},
  "when it had claimed the staged folder": (_first, second) => rename(staging(nameOf(second)), staging(`${nameOf(second)}~0badf00d`)),
  "when it had swapped the two": async (_first, second) => {
    await rename(staging(nameOf(second)), staging(`${nameOf(second)}~0badf00d`));
    await swapFolders(staging(`${nameOf(second)}~0badf00d`), targetOf(second));
  },
};

test.each(Object.entries(crashes))("a commit that is killed %s is done by the next one, once", async (_when, crash) => {
  const [first, second] = [await version(1, 100), await version(2, 50)];
  await sink.commit(first);
  await crash(first, second);
  await sink.commit(second, [first]);
  await expectOnly(second, first);
});

test("what a killed commit swapped out is put away by a sweep, too, and not removed", async () => {
  const [first, second] = [await version(1, 100), await version(2, 50)];
  await sink.commit(first);
  await crashes["when it had swapped the two"]!(first, second);
  expect(await sink.sweep(uri, nobody)).toEqual([]);
  await sink.commit(second, [first]);
  await expectOnly(second, first);
});

test("commits that are killed at any moment and run beside each other have the effect of one", async () => {
  let present = await version(1, 60);
  await sink.commit(present);
  for (let number = 2; number <= 5; number += 1) {
    const next = await version(number, 10 * number);
    const children = [0, 1, 2].map(() => run("commit-staged.ts", JSON.stringify(next), JSON.stringify([present])));
    // The time at which they are killed is what is tried; each outcome must be right.
    await setTimeout(120 * number);
    for (const child of children.slice(1)) child.kill("SIGKILL");
    await Promise.all(children);
    await sink.commit(next, [present]);
    await expectOnly(next, present);
    present = next;
  }
});

test("a staged result of which a file is missing or changed is not committed", async () => {
  const staged = await version(1, 10);
  await cp(staging(nameOf(staged)), place("copy"), { recursive: true });
  const [file] = (await readdir(staging(nameOf(staged)), { recursive: true })).filter((path) => path.endsWith(".parquet"));
  await rm(join(staging(nameOf(staged)), file!));
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST", message: expect.stringContaining(file!) as string });
  expect(await sink.isCommitted(staged)).toBe(false);
  await sink.discard(staged);
  await expect(sink.commit({ ...staged, staged: {} })).rejects.toMatchObject({ code: "STAGED_LOST" });
  expect(await readdir(place())).toEqual(["copy", "out"]);
});

test("a folder that is none of ours is never touched", async () => {
  const staged = await version(1, 10);
  await cp(staging(nameOf(staged)), targetOf(staged), { recursive: true });
  await rm(join(targetOf(staged), "_casparian_result.json"));
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
  const alone = await version(2, 10, "overwrite");
  await expect(sink.commit(alone)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
  await rm(targetOf(staged), { recursive: true });
  await sink.commit(staged);
  expect(await sink.isCommitted(staged)).toBe(true);
});

async function expectOnly(present: StagedOutput, before: StagedOutput): Promise<void> {
  expect([await sink.isCommitted(present), await sink.isCommitted(before)]).toEqual([true, false]);
  const results = (await readdir(place("out"))).filter((name) => name.startsWith("cf_result="));
  expect(results).toEqual([present.staged["target"]]);
  const files = (await readdir(targetOf(present), { recursive: true })).filter((path) => path.endsWith(".parquet"));
  expect(files).toHaveLength(Number(present.staged["partitions"]));
  const kept = await readdir(place("_casparian_replaced/out.partitioned"));
  expect(kept).toContain(nameOf(before).replace(/\.staged$/, ".replaced"));
  expect((await readdir(place())).toSorted()).toEqual(["_casparian_replaced", "out"]);
}

function version(number: number, rows: number, mode: "replace" | "overwrite" = "replace"): Promise<StagedOutput> {
  const own = { ...lineage, jobId: String(number), fileVersionId: String(number) };
  return stageIn(sink, uri, numbersFor(uri, rows), { mode, jobId: String(number), lineage: own });
}

function run(script: string, ...args: readonly string[]) {
  return execa(process.execPath, [join(import.meta.dirname, script), ...args], { reject: false, stderr: "inherit" });
}

async function kill(child: ReturnType<typeof run>): Promise<void> {
  child.kill("SIGKILL");
  expect((await child).signal).toBe("SIGKILL");
}
