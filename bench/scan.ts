import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Figure } from "./figure.ts";
import { startBenchRecord, type BenchRecord } from "./record.ts";
import { seconds } from "./seconds.ts";

const filesPerFolder = 500;
const rounds = 5;

/** Unchanged rescans of 200,000 files beside `find` on the same tree, and first scans with hashing beside `sha256sum`. */
export async function benchScan(): Promise<readonly Figure[]> {
  await using record = await startBenchRecord();
  return [...(await benchFirstScans(record)), ...(await benchRescan(record, "rescan", 200_000, { perSecond: 100_000, ofFind: 0.15 }))];
}

/** A million files: the cost of a file in a rescan beside that among 10,000, and memory. Takes some ten minutes, most of them to make the tree. */
export async function benchMillion(): Promise<readonly Figure[]> {
  await using record = await startBenchRecord();
  const few = await unchanged(record, "few", 10_000);
  const many = await unchanged(record, "many", 1_000_000);
  return [
    { name: "unchanged rescan of 1,000,000 files", value: many.files / many.seconds, unit: "files/s" },
    {
      name: "its cost for each file, beside that among 10,000",
      value: many.seconds / many.files / (few.seconds / few.files),
      unit: "times",
      target: 1.5,
      targetIs: "at most",
    },
    { name: "memory of the scanning process", value: many.peakBytes / 2 ** 20, unit: "MiB", target: 286, targetIs: "at most" },
  ];
}

async function benchFirstScans(record: BenchRecord): Promise<readonly Figure[]> {
  const small = join(record.folder, "small");
  makeTree(small, 20_000);
  await record.addSource("small", small);
  const first = await record.scan("small");

  const large = join(record.folder, "large");
  await mkdir(large);
  for (let n = 0; n < 8; n += 1) await writeLarge(join(large, `large-${n}.bin`));
  await record.addSource("large", large);
  const hashed = await record.scan("large");
  const sha256sum = await seconds(() =>
    execa("xargs", ["-P", "2", "-n", "1", "sha256sum"], {
      input: Array.from({ length: 8 }, (_, n) => join(large, `large-${n}.bin`)).join("\n"),
    }),
  );
  return [
    { name: "first scan of 20,000 small files, hashed and recorded", value: 20_000 / first.seconds[0]!, unit: "files/s", target: 5_000 },
    {
      name: "first scan of 4 GB in large files, beside sha256sum two at a time",
      value: sha256sum / hashed.seconds[0]!,
      unit: "of its speed",
      target: 0.8,
    },
  ];
}

async function benchRescan(
  record: BenchRecord,
  name: string,
  files: number,
  target: { readonly perSecond: number; readonly ofFind: number },
): Promise<readonly Figure[]> {
  const ours = await unchanged(record, name, files);
  const find: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    find.push(
      await seconds(() => execa("find", [join(record.folder, name), "-printf", String.raw`%s %T@ %C@ %i\n`], { stdout: "ignore" })),
    );
  }
  return [
    {
      name: `unchanged rescan of ${files.toLocaleString("en-US")} files`,
      value: files / ours.seconds,
      unit: "files/s",
      target: target.perSecond,
    },
    {
      name: "the same, beside find -printf on the same tree",
      value: Math.min(...find) / ours.seconds,
      unit: "of its speed",
      target: target.ofFind,
    },
    { name: "memory of the scanning process", value: ours.peakBytes / 2 ** 20, unit: "MiB" },
  ];
}

/** Records a tree of so many files, then scans it unchanged several times in one process; the best of these. */
async function unchanged(
  record: BenchRecord,
  name: string,
  files: number,
): Promise<{ readonly files: number; readonly seconds: number; readonly peakBytes: number }> {
  const root = join(record.folder, name);
  makeTree(root, files);
  await record.addSource(name, root);
  await record.scan(name);
  await record.db.query("vacuum analyze");
  const { seconds: each, peakBytes, report } = await record.scan(name, rounds);
  if (report.filesUnchanged !== files) throw new Error(`${report.filesUnchanged} of ${files} files were unchanged`);
  return { files, seconds: Math.min(...each), peakBytes };
}

function makeTree(root: string, files: number): void {
  for (let n = 0; n < files; n += 1) {
    const folder = join(root, `folder-${Math.floor(n / filesPerFolder)}`);
    if (n % filesPerFolder === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `part-${n}.csv`), `id,value\n${n},${n * 7}\n`);
  }
}

/** 512 MB that differ from file to file. */
async function writeLarge(path: string): Promise<void> {
  const block = Buffer.alloc(16 * 2 ** 20, path);
  const file = await open(path, "w");
  for (let n = 0; n < 32; n += 1) {
    block.writeUInt32LE(n, 0);
    await file.write(block);
  }
  await file.sync();
  await file.close();
}
