import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Database } from "../db/pool.ts";
import type { Figure } from "./figure.ts";
import { startBenchSystem, type BenchSystem } from "./system.ts";

const others = 100_000;
const folders = 200;
const arrivals = 30;
/** The one that a source has unless told otherwise; it is taken off again. */
const settleMs = 2_000;

/**
 * New files in a watched folder with 100,000 others, one after the other: from the moment at which each is there to its version's row in the
 * record, without the settle time. Beside it what each adapter takes for that tree.
 */
export async function benchWatch(): Promise<readonly Figure[]> {
  await using system = await startBenchSystem();
  const inbox = join(system.home, "inbox");
  await fillTree(inbox);
  const chokidar = await measureAdapter("chokidar", inbox);
  const native = await measureAdapter("native", inbox);
  const sorted = (await detect(system, inbox)).toSorted((a, b) => a - b);
  const beside = "chokidar";
  return [
    { name: `a new file beside ${others} others, on record after, p50`, value: sorted[Math.floor(arrivals / 2)]!, unit: "ms" },
    { name: "the same, p95", value: sorted[Math.floor(arrivals * 0.95)]!, unit: "ms", target: 1_000, targetIs: "at most" },
    {
      name: "such a tree watched natively, time to ready",
      value: native.readyMs,
      unit: "ms",
      ratio: chokidar.readyMs / native.readyMs,
      beside,
    },
    { name: "the same with chokidar", value: chokidar.readyMs, unit: "ms" },
    { name: "such a tree watched natively, memory of its process", value: native.peakBytes / 2 ** 20, unit: "MiB" },
    { name: "the same with chokidar, what a process needs to begin with included", value: chokidar.peakBytes / 2 ** 20, unit: "MiB" },
  ];
}

async function fillTree(root: string): Promise<void> {
  for (let folder = 0; folder < folders; folder += 1) {
    const path = join(root, `folder-${folder}`);
    await mkdir(path, { recursive: true });
    await Promise.all(Array.from({ length: others / folders }, (_, n) => writeFile(join(path, `part-${n}.csv`), `${folder}-${n}`)));
  }
}

async function detect({ casparian, db, home }: BenchSystem, inbox: string): Promise<readonly number[]> {
  await withoutDispatch(db, async () => {
    await casparian("source", "add", "inbox", inbox, "--settle", `${settleMs}ms`);
    await waitFor(500, async () => ((await db.query("select 1 from cf_file_version")).rowCount ?? 0) >= others);
  });
  // Once it is on record, the scans before it are over.
  await writeFile(join(inbox, "warm.csv"), "warm");
  await recordedAt(db, "warm.csv");
  const milliseconds: number[] = [];
  for (let n = 1; n <= arrivals; n += 1) {
    const path = `folder-${(n * 37) % folders}/arrival-${n}.csv`;
    // Written beside and moved in, so that the arrival is one moment.
    await writeFile(join(home, "next.csv"), `arrival ${n}`);
    const arrived = Date.now();
    await rename(join(home, "next.csv"), join(inbox, path));
    milliseconds.push((await recordedAt(db, path)) - arrived - settleMs);
  }
  return milliseconds;
}

/** The others are to be on record, and not to be processed: Temporal would be busy with them for an hour. */
async function withoutDispatch(db: Database, work: () => Promise<void>): Promise<void> {
  await db.query("create function bench_discard() returns trigger language plpgsql as 'begin return null; end'");
  await db.query("create trigger bench_discard before insert on cf_outbox for each row execute function bench_discard()");
  await work();
  await db.query("drop function bench_discard() cascade");
}

/** When the version of this file was recorded; waits for it. Milliseconds since 1970. */
async function recordedAt(db: Database, path: string): Promise<number> {
  const find = () =>
    db.query<{ at: Date }>(
      "select v.detected_at as at from cf_file_version v join cf_file_location l on l.id = v.location_id where l.source_id = 1 and l.rel_path = $1",
      [path],
    );
  await waitFor(10, async () => (await find()).rows.length > 0);
  return (await find()).rows[0]!.at.getTime();
}

async function waitFor(everyMs: number, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await setTimeout(everyMs);
}

interface Cost {
  readonly readyMs: number;
  readonly peakBytes: number;
}

async function measureAdapter(adapter: string, root: string): Promise<Cost> {
  const { stdout } = await execa(process.execPath, [fileURLToPath(new URL("./watch-once.ts", import.meta.url)), adapter, root]);
  return JSON.parse(stdout) as Cost;
}
