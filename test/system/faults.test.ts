import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { openDatabase } from "../../db/pool.ts";
import { readResults } from "../support/parquet.ts";
import { describeProcesses, processesOf, testProduct, type ListedJob, type RunningProduct } from "../support/product.ts";
import { csv, csvPlugin } from "../support/samples.ts";

/** A run is repeated with the seed that it printed. When who is killed still differs, because the machine's own pace does. */
const seed = Number(process.env["CASPARIAN_FAULT_SEED"] ?? Date.now() % 1_000_000);
const random = numbersFrom(seed);
const files = 150;
const changed = 40;
const kills = 10;

const product = await testProduct();
let running: RunningProduct;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  await product.json("plugin", "publish", await product.write("kept.py", csvPlugin));
  await product.json("plugin", "publish", await product.write("latest.py", `# The newest only.\n${csvPlugin}`));
  await product.json("topic", "set", "kept", "output", "parquet://output/kept");
  await product.json("topic", "set", "latest", "output", "parquet://output/latest", "--mode", "replace");
  running = await product.start();
});

/** Whom to kill: by what their command lines hold. */
const victims = {
  product: "bin/casparian.js",
  plugin: "parent.py",
  postgres: "bin/postgres -D",
  temporal: "server start-dev",
} as const;

test("whoever is killed, and whenever: every version has its result once, each file's newest takes the place of the others", async () => {
  const expected = new Map<string, number[]>();
  const put = async (file: number): Promise<void> => {
    const name = `f${file}.csv`;
    const versions = expected.get(name) ?? [];
    // Another number of rows for each version of each file.
    const rows = 1 + ((file * 7 + versions.length * 13) % 50) + versions.length * 50;
    await writeFile(join(product.inbox, name), csv(rows));
    expected.set(name, [...versions, rows]);
  };
  for (let file = 0; file < files; file += 1) await put(file);
  for (let kill = 0; kill < kills; kill += 1) {
    await setTimeout(random(1_500));
    await killOne(Object.keys(victims)[kill % 4] as keyof typeof victims);
    if (kill === kills / 2) {
      // Each is recorded by now, so that what follows is a second version.
      await untilAllEnded(files);
      for (let file = 0; file < changed; file += 1) await put(file);
    }
  }
  await untilAllEnded(files + changed);

  const versions = [...expected].flatMap(([name, rows]) => rows.map((count) => `${name} ${count}`)).toSorted();
  expect(await visibleIn("kept")).toEqual(versions);
  const newest = [...expected].map(([name, rows]) => `${name} ${rows.at(-1)}`).toSorted();
  expect(await visibleIn("latest")).toEqual(newest);

  const db = openDatabase(running.status.database.url);
  const { rows: unbalanced } = await db.query(
    `select from cf_job_output where state = 'COMMITTED' and (rows_sent <> rows_received or rows_received <> rows_written + rows_quarantined
       or rows_read_back <> rows_written)`,
  );
  expect(unbalanced).toEqual([]);
  const { rows: ledger } = await db.query<{ committed: number; replaced: number; staged: number; waiting: number }>(
    `select count(*) filter (where state = 'COMMITTED')::int as committed, count(replaced_at)::int as replaced,
       count(*) filter (where state = 'STAGED')::int as staged, (select count(*)::int from cf_outbox) as waiting from cf_job_output`,
  );
  expect(ledger).toEqual([{ committed: 2 * (files + changed), replaced: changed, staged: 0, waiting: 0 }]);
  await db.end();

  // What a killed attempt had staged beyond the record's knowledge is swept each minute.
  const staged = async () =>
    (await readdir(join(product.home, "output"), { recursive: true })).filter((path) => path.includes("_casparian_staging"));
  await vi.waitFor(async () => expect(await staged()).toEqual([]), { timeout: 240_000, interval: 1_000 });

  expect((await running.stop()).exitCode).toBe(0);
  expect(await describeProcesses(await processesOf(product.home))).toBe("");
  expect(await staged()).toEqual([]);
}, 1_200_000);

/** Kills one process of the kind, and starts the product again where it ended with it. */
async function killOne(kind: keyof typeof victims): Promise<void> {
  const found: number[] = [];
  for (const pid of await processesOf(product.home)) {
    const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ");
    if (command.includes(victims[kind])) found.push(pid);
  }
  const victim = kind === "product" ? running.process.pid : found[random(found.length)];
  if (victim === undefined) return;
  try {
    process.kill(victim, "SIGKILL");
  } catch {
    return;
  }
  if (kind === "plugin") return;
  // It does not live without its database or Temporal, and on a busy machine takes its time to end.
  await running.process;
  running = await product.start();
}

/** Jobs whose plugin was killed have failed, and are tried again as a person would. */
async function untilAllEnded(versions: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const jobs = await product.json<readonly ListedJob[]>("jobs", "list", "--limit", "1000");
      const failed = jobs.filter(({ state }) => state === "FAILED");
      if (failed.length > 0) await product.json("jobs", "retry", ...failed.map(({ id }) => id));
      expect(jobs.filter(({ state }) => state === "COMPLETED")).toHaveLength(2 * versions);
    },
    { timeout: 500_000, interval: 1_000 },
  );
}

/** The visible results in a folder of outputs, by file and number of rows, each with the rows of one version and one job. */
async function visibleIn(folder: string): Promise<readonly string[]> {
  const results = await readResults(join(product.home, "output", folder));
  for (const { versionIds, jobIds, sourceHashes } of results) {
    expect([versionIds.length, jobIds.length, sourceHashes.length]).toEqual([1, 1, 1]);
  }
  return results.map(({ path, rows }) => `${path.slice(0, path.indexOf("."))}.csv ${rows}`).toSorted();
}

/** Whole numbers below `limit`, the same for each seed. Source: Numerical Recipes' linear congruential generator. */
function numbersFrom(start: number): (limit: number) => number {
  let state = start >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
