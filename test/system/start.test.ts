import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDatabase, type Database } from "../../db/pool.ts";
import { readResults } from "../support/parquet.ts";
import { processesOf, testProduct, type RunningProduct } from "../support/product.ts";
import { csv, csvPlugin, slowPlugin } from "../support/samples.ts";
import { testTools } from "../support/tools.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();
let running: RunningProduct;
let db: Database;

beforeAll(async () => {
  await product.json("plugin", "publish", await product.write("finance.py", csvPlugin));
  await begin();
});
afterAll(closeDatabase);

async function begin(): Promise<void> {
  running = await product.start();
  db = openDatabase(running.status.database.url);
}

async function closeDatabase(): Promise<void> {
  if (!db.ended) await db.end();
}

async function states(path: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ state: string }>(
    `select j.state from cf_processing_job j join cf_file_version v on v.id = j.file_version_id join cf_file_location l on l.id = v.location_id
     where l.rel_path = $1 order by v.sequence, j.id`,
    [path],
  );
  return rows.map((row) => row.state);
}

async function reach(path: string, expected: readonly string[]): Promise<void> {
  await vi.waitFor(async () => expect(await states(path)).toEqual(expected), { ...patience, interval: 50 });
}

test("a file that is dropped into a watched folder becomes a table, and its change a second one", async () => {
  await writeFile(join(product.inbox, "dropped.csv"), csv(10));
  await reach("dropped.csv", ["COMPLETED"]);
  await appendFile(join(product.inbox, "dropped.csv"), "99,late,1.5\n");
  await reach("dropped.csv", ["COMPLETED", "COMPLETED"]);
  const rows = (await readResults(join(product.home, "output"))).map((result) => result.rows);
  expect(rows.toSorted()).toEqual([10, 11]);
});

test("Temporal's own command line triggers a scan and finds a file by its path", async () => {
  const { temporal } = testTools();
  const { address, namespace } = running.status.temporal;
  const place = ["--address", address, "--namespace", namespace];
  const started = await execa(temporal, [
    ...["workflow", "start", "--type", "scanSource", "--task-queue", "casparian", "--workflow-id", "scan:inbox"],
    ...["--input", '"inbox"', "--id-conflict-policy", "UseExisting", ...place],
  ]);
  expect(started.stdout).toContain("scan:inbox");
  await vi.waitFor(
    async () => {
      const { stdout } = await execa(temporal, ["workflow", "list", "--query", 'CasparianPath="dropped.csv"', ...place]);
      expect(stdout).toContain("file-version:");
    },
    { ...patience, interval: 500 },
  );
});

test("workflows run without the services of Temporal's SDK that cost more than they do", async () => {
  const folder = join(product.home, "unsettled");
  await mkdir(folder);
  await writeFile(join(folder, "unsettled.txt"), "still growing");
  await product.json("source", "add", "unsettled", folder, "--settle", "1h");
  const { address, namespace } = running.status.temporal;
  const connection = await Connection.connect({ address });
  try {
    const scan = new Client({ connection, namespace }).workflow.getHandle("scan:unsettled");
    await vi.waitFor(async () => expect(await scan.query("progress")).toMatchObject({ doing: "waiting for files to settle" }), {
      ...patience,
      interval: 200,
    });
    // With the SDK's hook on promises it would name the one that the workflow waits for.
    expect(await scan.query("__stack_trace")).toBe("");
  } finally {
    await connection.close();
  }
  await product.json("source", "remove", "unsettled");
});

test("a second start in the same folder says who runs there", async () => {
  const second = await product.run("start");
  expect(second.exitCode).toBe(2);
  expect(second.stderr).toContain(`process ${running.status.running!.pid}`);
});

test("one more worker joins the running system and leaves on SIGTERM", async () => {
  const worker = execa("node", ["bin/casparian.js", "--home", product.home, "worker"], { reject: false });
  await vi.waitFor(
    async () => {
      const { stdout } = await execa(testTools().temporal, [
        ...["task-queue", "describe", "--task-queue", "casparian", "--address", running.status.temporal.address, "-o", "json"],
      ]);
      expect(new Set(stdout.match(/"identity": "[^"]*:\d+"/g)).size).toBeGreaterThanOrEqual(2);
    },
    { ...patience, interval: 500 },
  );
  worker.kill("SIGTERM");
  expect((await worker).exitCode).toBe(0);
});

test("cancelling a running job kills its plugin and commits nothing", async () => {
  await product.json("plugin", "publish", await product.write("slow.py", slowPlugin(600)));
  await writeFile(join(product.inbox, "cancelled.csv"), csv(20));
  const slowJob = async () => {
    const { rows } = await db.query<{ id: string; state: string }>("select id, state from cf_processing_job where plugin_name = 'slow'");
    return rows[0];
  };
  await vi.waitFor(async () => expect((await slowJob())?.state).toBe("RUNNING"), patience);
  expect((await product.run("jobs", "cancel", (await slowJob())!.id)).exitCode).toBe(0);
  await vi.waitFor(async () => expect((await slowJob())?.state).toBe("CANCELLED"), patience);
  const results = await readResults(join(product.home, "output"));
  expect(results.filter(({ path }) => path.startsWith("slow"))).toEqual([]);
});

test("after kill -9 of everything the next start goes on with what was under way, once", async () => {
  await product.json("plugin", "publish", await product.write("slow.py", slowPlugin(4)));
  await writeFile(join(product.inbox, "interrupted.csv"), csv(30));
  await vi.waitFor(async () => expect(await states("interrupted.csv")).toContain("RUNNING"), { ...patience, interval: 20 });
  await closeDatabase();
  await running.killEverything();

  await begin();
  await reach("interrupted.csv", ["COMPLETED", "COMPLETED"]);
  const results = (await readResults(join(product.home, "output"))).filter(({ path }) => path.includes("interrupted"));
  expect(results.map(({ rows }) => rows)).toEqual([30, 30]);
  expect(new Set(results.flatMap(({ jobIds }) => jobIds)).size).toBe(2);
});

test("SIGTERM stops everything within seconds and leaves no process", async () => {
  await closeDatabase();
  const began = Date.now();
  const result = await running.stop();
  expect(result.exitCode).toBe(0);
  expect(Date.now() - began).toBeLessThan(30_000);
  expect(await processesOf(product.home)).toEqual([]);
});
