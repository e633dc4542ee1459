import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa, type ResultPromise } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDatabase, type Database } from "../../db/pool.ts";
import { program } from "../support/command.ts";
import { testProduct, type RunningProduct } from "../support/product.ts";
import { csv, csvPlugin } from "../support/samples.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();
let running: RunningProduct;
let db: Database;
type WorkerProcess = Pick<ResultPromise, "kill" | "pid"> & Promise<{ readonly exitCode?: number | undefined }>;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  await product.json("plugin", "publish", await product.write("finance.py", csvPlugin));
  running = await product.start();
  db = openDatabase(running.status.database.url);
});
afterAll(async () => {
  for (const worker of workers) worker.kill("SIGTERM");
  await Promise.all(workers);
  await db?.end();
});

/** One more worker, with what `--group` gives it. */
function startWorker(...args: readonly string[]): WorkerProcess {
  const worker = execa(process.execPath, [program, "--home", product.home, "worker", ...args], { reject: false });
  workers.push(worker);
  return worker;
}

/** The processes that ran the jobs of a source's files, by path. */
async function ranBy(source: string): Promise<Readonly<Record<string, string>>> {
  const { rows } = await db.query<{ path: string; worker: string }>(
    `select l.rel_path as path, a.worker from cf_job_attempt a join cf_processing_job j on j.id = a.job_id and j.state = 'COMPLETED'
     join cf_file_version v on v.id = j.file_version_id join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id where s.name = $1`,
    [source],
  );
  return Object.fromEntries(rows.map(({ path, worker }) => [path, worker.split(":").at(-1)!]));
}

test("a source of a group waits for its workers, is scanned and processed by them only, and waits again when they leave", async () => {
  const share = join(product.home, "share");
  const added = await product.run("source", "add", "vendor", share, "--workers", "nas", "--settle", "50ms", "--every", "1s");
  expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`there is no folder ${share} on this machine`) as string });
  await mkdir(share);
  await writeFile(join(share, "first.csv"), csv(3));
  await writeFile(join(product.inbox, "here.csv"), csv(3));
  const other = startWorker("--group", "lab");

  await vi.waitFor(async () => expect(Object.keys(await ranBy("inbox"))).toEqual(["here.csv"]), { ...patience, interval: 200 });
  await vi.waitFor(
    async () => {
      const sources = await product.json<{ name: string; workers: number; nextScanAt: string | null }[]>("source", "list");
      expect(sources.map(({ name, workers: amount, nextScanAt }) => [name, amount > 0, nextScanAt !== null])).toEqual([
        ["inbox", true, true],
        ["vendor", false, true],
      ]);
    },
    { ...patience, interval: 200 },
  );
  expect((await product.run("status")).stdout).toContain("no worker for vendor: casparian worker --group nas");
  expect((await product.run("doctor")).stdout).toContain("no worker runs for group nas");
  const { rows } = await db.query("select from cf_scan c join cf_source_root s on s.id = c.source_id where s.name = 'vendor'");
  expect(rows).toEqual([]);

  const nas = startWorker("--group", "nas", "lab");
  await vi.waitFor(async () => expect(await ranBy("vendor")).toEqual({ "first.csv": String(nas.pid) }), { ...patience, interval: 200 });
  await Promise.all(["a", "b", "c"].map((name) => writeFile(join(share, `${name}.csv`), csv(4))));
  const [byNas] = [String(nas.pid)];
  await vi.waitFor(
    async () => {
      expect(await ranBy("vendor")).toEqual({ "first.csv": byNas, "a.csv": byNas, "b.csv": byNas, "c.csv": byNas });
    },
    { ...patience, interval: 200 },
  );
  expect((await product.run("scan", "vendor", "--wait", "--timeout", "60")).exitCode).toBe(0);

  nas.kill("SIGTERM");
  expect((await nas).exitCode).toBe(0);
  await writeFile(join(share, "late.csv"), csv(5));
  await writeFile(join(product.inbox, "second.csv"), csv(3));
  await vi.waitFor(async () => expect(Object.keys(await ranBy("inbox"))).toContain("second.csv"), { ...patience, interval: 200 });
  expect(Object.keys(await ranBy("vendor"))).not.toContain("late.csv");

  // Given to every worker, what waited is taken up by those that are there.
  expect((await product.run("source", "set", "vendor", "--workers", "none")).exitCode).toBe(0);
  await vi.waitFor(async () => expect(Object.keys(await ranBy("vendor"))).toContain("late.csv"), { ...patience, interval: 200 });
  other.kill("SIGTERM");
  expect((await other).exitCode).toBe(0);
});

test("a source that was paused, changed or removed while nothing ran has its schedule so after the start", async () => {
  await product.run("source", "add", "gone", product.inbox, "--every", "1h");
  await vi.waitFor(async () => expect((await product.run("doctor")).stdout).toContain("3 as their sources ask for"), {
    ...patience,
    interval: 200,
  });
  await db.end();
  await running.stop();
  await product.run("source", "remove", "gone");
  await product.run("source", "pause", "vendor");
  await product.run("source", "set", "inbox", "--cron", "CRON_TZ=Europe/Berlin 0 6 * * 1-5");
  expect(await product.json("source", "show", "inbox")).toMatchObject({ nextScanAt: null, workers: null, everyMs: null });
  expect((await product.run("source", "show", "inbox")).stdout).toContain("by cron CRON_TZ=Europe/Berlin 0 6 * * 1-5");
  expect((await product.run("source", "set", "inbox", "--cron", "0 25 * * *")).stderr).toContain(`"25" is no hour`);
  await writeFile(join(product.inbox, "meanwhile.csv"), csv(6));
  await rename(join(product.inbox, "here.csv"), join(product.inbox, "moved.csv"));

  running = await product.start();
  db = openDatabase(running.status.database.url);
  // Long before the schedule's time.
  await vi.waitFor(async () => expect(Object.keys(await ranBy("inbox"))).toContain("meanwhile.csv"), { ...patience, interval: 200 });
  await vi.waitFor(async () => expect((await product.run("doctor")).stdout).toContain("2 as their sources ask for"), {
    ...patience,
    interval: 200,
  });
  const shown = await product.json<{ nextScanAt: string }>("source", "show", "inbox");
  expect(new Date(shown.nextScanAt).toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" })).toBe("06:00:00");
  expect((await product.run("source", "show", "vendor")).stdout).toContain("when resumed");
});
