import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jobsWithVersions, versionsWithJobs } from "../support/audit-queries.ts";
import { readResults } from "../support/parquet.ts";
import { listJobs, processesOf, testProduct } from "../support/product.ts";
import { csv, csvPlugin, failingPlugin, oldSdkPlugin } from "../support/samples.ts";
import { sha256 } from "../support/sha256.ts";

const product = await testProduct({ bare: true });
const jobs = () => listJobs(product);

test("with nothing running: publish both forms of plugin, scan, and the tables are there", async () => {
  await product.json("plugin", "publish", await product.write("finance.py", csvPlugin));
  await product.json(
    "plugin",
    "publish",
    await product.write("legacy.py", oldSdkPlugin),
    "--topic-config",
    '{"topic_name": {"uri": "parquet://./elsewhere", "mode": "append"}}',
  );
  await product.json("rule", "add", "legacy-*.csv", "legacy");
  await writeFile(join(product.inbox, "finance.csv"), csv(100));
  await writeFile(join(product.inbox, "legacy-1.csv"), csv(7));

  const scan = await product.run("scan", "--wait");
  expect(scan.stderr).not.toContain("error");
  expect(scan.exitCode).toBe(0);

  const output = await readResults(join(product.home, "output"));
  expect(output.map(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual([7, 100]);
  const legacy = await readResults(join(product.home, "elsewhere"));
  expect(legacy.map(({ rows }) => rows)).toEqual([7]);
  expect(legacy[0]!.sourceHashes).toEqual([sha256(csv(7))]);
  expect((await jobs()).every((job) => job.state === "COMPLETED")).toBe(true);
  expect(await processesOf(product.home)).toEqual([]);
});

test("a second scan finds nothing new; a changed file gets a second version, and the first one's rows stay", async () => {
  expect((await product.run("scan", "inbox", "--wait")).exitCode).toBe(0);
  expect(await jobs()).toHaveLength(3);

  await writeFile(join(product.inbox, "finance.csv"), csv(101));
  expect((await product.run("scan", "inbox", "--wait")).exitCode).toBe(0);
  const versions = (await jobs()).filter((job) => job.path === "finance.csv");
  expect(versions.map((job) => job.sequence).toSorted()).toEqual([1, 2]);
  const rows = (await readResults(join(product.home, "output"))).map((result) => result.rows);
  expect(rows.toSorted((a, b) => a - b)).toEqual([7, 100, 101]);
});

test("a plugin that raises fails its job in its own words, leaves nothing behind, and can be retried once it is mended", async () => {
  await product.json("plugin", "publish", await product.write("brittle.py", failingPlugin));
  await writeFile(join(product.inbox, "lines.txt"), "1\n2\n");
  const scan = await product.run("scan", "--wait");
  expect(scan.exitCode).toBe(1);
  expect(scan.stdout + scan.stderr).toContain("line 7 has 3 fields");
  const left = await readdir(join(product.home, "output"), { recursive: true, withFileTypes: true });
  expect(left.filter((entry) => entry.isFile() && entry.parentPath.includes("never"))).toEqual([]);

  const failed = (await jobs()).find((job) => job.plugin === "brittle")!;
  expect(failed.state).toBe("FAILED");
  const logs = await product.run("jobs", "logs", failed.id);
  expect(logs.stdout).toContain("about to fail");
  expect(logs.stdout).toContain('brittle.py", line 9');
  expect(logs.stdout).toContain("ValueError: line 7 has 3 fields, 5 were expected");
});

test("the audit queries of the documents run to the letter", async () => {
  const versions = await product.run("sql", versionsWithJobs);
  expect(versions.stdout).toMatch(/finance\.csv[^\n]*\n[^\n]*finance\.csv/);
  const queue = await product.run("sql", jobsWithVersions);
  expect(queue.stdout).toContain("COMPLETED");
  expect(queue.stdout).toContain("FAILED");
});
