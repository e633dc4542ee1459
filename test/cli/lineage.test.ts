import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { commandOn, failureOf } from "../support/command.ts";
import { fillRecord } from "../support/record.ts";
import { sha256 } from "../support/sha256.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-lineage-"));
const casparian = commandOn(home, url);
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

/** Two versions of a file: of the first a job made rows, of the second one failed. */
let versions: readonly string[];
let failed: string;
let completed: string;
const target = join(home, "output/output/trades.parquet");

beforeAll(async () => {
  const record = fillRecord(db);
  await mkdir(join(home, "inbox"));
  const inbox = await record.source("inbox", join(home, "inbox"));
  const pluginId = await record.plugin("clean", "1");
  versions = [await record.version(inbox, "vendor/trades.csv", "first"), await record.version(inbox, "vendor/trades.csv", "second")];
  completed = await record.job(versions[0]!, pluginId, "clean");
  await record.complete(completed, 1204, target);
  failed = await record.job(versions[1]!, pluginId, "clean");
  await record.fail(failed, "ValueError: bad line");
});

test("a file's versions are all there, by either kind of path", async () => {
  for (const path of ["vendor/trades.csv", "inbox/vendor/trades.csv", join(home, "inbox/vendor/trades.csv")]) {
    expect(await casparian.json("versions", path)).toMatchObject([
      { id: versions[0], sequence: 1, contentHash: sha256("first"), jobs: [{ id: completed, state: "COMPLETED" }] },
      { id: versions[1], sequence: 2, contentHash: sha256("second"), jobs: [{ id: failed, state: "FAILED" }] },
    ]);
  }
  expect((await casparian("versions", "vendor/trades.csv")).stdout).toContain(sha256("second"));
  const unknown = await casparian("versions", "trades.csv");
  expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("On record: vendor/trades.csv") as string });
});

test("lineage leads from bytes to rows and back", async () => {
  const whole = [
    { version: { id: versions[0] }, jobs: [{ job: { id: completed }, outputs: [{ target, rowsWritten: 1204 }] }] },
    { version: { id: versions[1] }, jobs: [{ job: { id: failed }, outputs: [] }] },
  ];
  expect(await casparian.json("lineage", "--file", "vendor/trades.csv")).toMatchObject(whole);
  const first = [whole[0]];
  expect(await casparian.json("lineage", "--version", versions[0]!)).toMatchObject(first);
  expect(await casparian.json("lineage", "--job", completed)).toMatchObject(first);
  expect(await casparian.json("lineage", "output/output/trades.parquet")).toMatchObject(first);
  expect(await casparian.json("lineage", `${target}/part-0.parquet`)).toMatchObject(first);
  const row = [`_cf_job_id=${completed}`, `_cf_source_hash=${sha256("first")}`, "_cf_plugin_version=clean@1"];
  expect(await casparian.json("lineage", "--row", ...row)).toMatchObject(first);
  expect(await casparian.json("lineage", "--row", `source_hash=${sha256("first")}`)).toMatchObject(first);
  for (const given of [
    `job=${completed}`,
    `_cf_job_id=${completed},_cf_source_hash=${sha256("first")}`,
    `plugin=clean@1, version=${versions[0]}`,
  ])
    expect(await casparian.json("lineage", "--row", given)).toMatchObject(first);
  const pasted = JSON.stringify([
    { amount: 1.5, _cf_job_id: Number(completed), _cf_source_hash: sha256("first"), _cf_plugin_version: "clean@1" },
  ]);
  expect(await casparian.json("lineage", "--row", pasted)).toMatchObject(first);
  expect(await casparian.json("lineage", "vendor/trades.csv")).toMatchObject(whole);
  const origin = { publisher: "test@here", sourceHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string, python: "3.11" };
  expect(await casparian.json("lineage", "--job", completed)).toMatchObject([{ jobs: [{ artifact: origin }] }]);
  const { stdout } = await casparian("lineage", "--job", completed);
  for (const fact of [
    "published by test@here",
    "Python 3.11",
    `sha256 ${sha256("first")}`,
    "clean@1, artifact",
    "output  1,204 rows (append)",
    target,
  ])
    expect(stdout).toContain(fact);
});

test("lineage says what contradicts the record, and what is not on it", async () => {
  const forged = await casparian("lineage", "--row", `_cf_job_id=${completed}`, `_cf_source_hash=${sha256("second")}`, "--json");
  expect(forged.exitCode).toBe(1);
  expect(failureOf(forged).code).toBe("LINEAGE_CONTRADICTED");
  for (const wrong of [`version=${versions[1]}`, "plugin=clean@2", `hash=${sha256("other")}`]) {
    const refused = await casparian("lineage", "--row", `job=${completed},${wrong}`, "--json");
    expect(failureOf(refused), wrong).toMatchObject({
      code: "LINEAGE_CONTRADICTED",
      message: expect.stringContaining("and the record says") as string,
    });
  }
  expect((await casparian("lineage", "--row", '{"amount": 1}')).stderr).toContain("name neither job, version nor hash");
  expect((await casparian("lineage", "--row", "{amount}")).stderr).toContain("is not JSON");
  expect((await casparian("lineage", "--row", "colour=red")).stderr).toContain('"colour" is not a lineage column');
  expect((await casparian("lineage", "output/other.parquet")).stderr).toContain("no output on record is at");
  expect((await casparian("lineage", "--job", "1", "--version", "1")).exitCode).toBe(2);
});
