import { readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readRunEvents } from "../../../control/read-run-events.ts";
import { subscribe } from "../../../db/run-event-delivery.ts";
import { findSource } from "../../../db/source-root.ts";
import { upsertTopic } from "../../../db/topic.ts";
import { scanSource } from "../../../scout/scan.ts";
import { createScoutThreads } from "../../../scout/threads.ts";
import { zipFiles } from "../../support/archives.ts";
import { createJobFixture, type JobFixture } from "../../support/job-fixture.ts";
import { quietLog } from "../../support/quiet-log.ts";
import "../../support/quiet-temporal.ts";
import { csv, tablePlugin, failingPlugin, slowPlugin } from "../../support/samples.ts";
import { sha256 } from "../../support/sha256.ts";
import { validEvent, type Event } from "./validate.ts";
import { patience } from "../../support/patience.ts";

// Real plugins, run by the activities of a worker.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
  await subscribe(fixture.database.db, "host:/home", "somewhere");
  await fixture.publish("several", readFileSync(new URL("../../plugins/several_outputs.py", import.meta.url), "utf8"), "*.many");
  await fixture.publish("quick", tablePlugin, "*.csv");
  await fixture.publish("slow", slowPlugin(2), "*.slow");
  await fixture.publish("failing", failingPlugin, "*.txt");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

function act<A, R>(activity: (input: A) => Promise<R>, input: A, environment = new MockActivityEnvironment()): Promise<R> {
  return environment.run(activity, input);
}

async function planVersion(fileVersionId: string): Promise<string> {
  return (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!.jobId;
}

const plan = async (name: string, content: string) => planVersion(await fixture.record(name, content));

async function run(jobId: string): Promise<void> {
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toMatchObject({ outcome: "STAGED" });
  expect(await act(fixture.activities.commitJob, { jobId, attempt: 1 })).toEqual({ state: "COMPLETED" });
}

/** What the official schemas have taken. */
async function eventsOf(jobId: string, sourceCode = false): Promise<readonly Event[]> {
  const lines: string[] = [];
  const context = { db: fixture.database.db, actor: "ann@desk", temporal: null };
  await readRunEvents(context, { since: new Date(0), jobId }, { namespace: "tests", sourceCode }, async (more) => lines.push(...more) > 0);
  return lines.map(validEvent);
}

test("a job that is committed tells the file with its hash, and each output with its columns, rows and place", async () => {
  await upsertTopic(fixture.database.db, "several", "orders", { uri: "parquet://output/orders", mode: "overwrite" });
  const jobId = await plan("a.many", "content");
  await run(jobId);
  const [start, complete, ...others] = await eventsOf(jobId, true);
  expect(others).toEqual([]);
  expect([start!.eventType, complete!.eventType]).toEqual(["START", "COMPLETE"]);
  expect(complete!.run.runId).toBe(start!.run.runId);
  expect(complete!.eventTime >= start!.eventTime).toBe(true);
  expect(start!.outputs).toEqual([]);
  expect(start!.job.facets["sourceCode"].sourceCode).toContain("class Handler");
  expect(complete!.job).toMatchObject({ namespace: "tests", name: "several" });
  for (const { inputs } of [start!, complete!]) {
    expect(inputs).toMatchObject([
      {
        namespace: "file",
        name: join(fixture.folder, "in/a.many"),
        facets: { version: { datasetVersion: sha256("content") }, dataSource: { name: "in" }, datasetType: { datasetType: "FILE" } },
        inputFacets: { inputStatistics: { size: 7, fileCount: 1 } },
      },
    ]);
  }
  const outputs = complete!.outputs.map(({ namespace, name, facets, outputFacets }) => ({
    namespace,
    name,
    columns: facets["schema"].fields.map((field: { name: string; type: string }) => `${field.name} ${field.type}`).slice(0, 2) as unknown,
    lineage: facets["schema"].fields.at(-1).name as unknown,
    rows: outputFacets!["outputStatistics"].rowCount as unknown,
    change: facets["lifecycleStateChange"]?.lifecycleStateChange as unknown,
  }));
  const output = (name: string) => ({ namespace: "file", name: join(fixture.output, name), lineage: "_cf_plugin_version" });
  expect(outputs).toEqual([
    { ...output("lines"), columns: ["order int64", "text string"], rows: 3, change: undefined },
    { ...output("nothing"), columns: ["x date32[day]", "_cf_source_hash string"], rows: 0, change: undefined },
    { ...output("orders"), columns: ["id int64", "_cf_source_hash string"], rows: 3, change: "OVERWRITE" },
    { ...output("several"), columns: ["note string", "_cf_source_hash string"], rows: 1, change: undefined },
  ]);
  const [location] = complete!.outputs[2]!.outputFacets!["subset"].outputCondition.locations as readonly string[];
  expect(location).toBe(join(fixture.output, "orders/orders.parquet"));
  expect(JSON.stringify(await eventsOf(jobId))).not.toContain("class Handler");
});

test("a plugin that raises fails its run with the error", async () => {
  const jobId = await plan("a.txt", "x");
  await expect(act(fixture.activities.runPlugin, { jobId, quick: false })).rejects.toThrow();
  const [start, fail, ...others] = await eventsOf(jobId);
  expect([start!.eventType, fail!.eventType, others.length]).toEqual(["START", "FAIL", 0]);
  expect(fail!.run.runId).toBe(start!.run.runId);
  expect(fail!.run.facets["errorMessage"].message).toMatch(/^PLUGIN_RAISED: .*line 7 has 3 fields/s);
  expect(fail!.outputs).toEqual([]);
});

test("a file that changes while it is read aborts the run", async () => {
  const jobId = await plan("b.slow", csv(5));
  const running = act(fixture.activities.runPlugin, { jobId, quick: false });
  await vi.waitFor(async () => expect(await eventsOf(jobId)).toHaveLength(1), patience);
  await appendFile(join(fixture.folder, "in/b.slow"), "9,9,9\n");
  expect(await running).toEqual({ outcome: "SUPERSEDED" });
  const [, abort] = await eventsOf(jobId);
  expect(abort).toMatchObject({ eventType: "ABORT", outputs: [] });
  expect(abort!.run.facets["errorMessage"].message).toMatch(/^SUPERSEDED: /);
});

test("a job that is cancelled after everything was staged aborts its run, and its retry is another one", async () => {
  const jobId = await plan("c.csv", csv(5));
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  const error = { code: "CANCELLED", message: "cancelled by an operator" };
  await act(fixture.activities.endJob, { jobId, state: "CANCELLED" as const, error });
  await fixture.database.db.query("update cf_processing_job set state = 'QUEUED' where id = $1", [jobId]);
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  expect(await act(fixture.activities.commitJob, { jobId, attempt: 2 })).toEqual({ state: "COMPLETED" });
  const events = await eventsOf(jobId);
  expect(events.map(({ eventType }) => eventType)).toEqual(["START", "ABORT", "START", "COMPLETE"]);
  const [first, second, third, fourth] = events.map((event) => event.run.runId);
  expect([second, fourth]).toEqual([first, third]);
  expect(third).not.toBe(first);
  expect(await eventsOf(jobId)).toEqual(events);
});

test("a member of an archive says which archive it is in", async () => {
  const { db } = fixture.database;
  await db.query("update cf_source_root set archives = true, settle_ms = 0");
  await writeFile(join(fixture.folder, "in/drop.zip"), zipFiles({ "deep/inner.csv": csv(4) }));
  const threads = createScoutThreads(1);
  const source = (await findSource(db, "in"))!;
  const signal = new AbortController().signal;
  await scanSource({ db, source, paths: null, threads, store: fixture.store, log: quietLog, signal });
  await threads.close();
  const { rows } = await db.query<{ id: string }>(
    "select v.id from cf_file_version v join cf_file_location l on l.id = v.location_id where l.rel_path = 'drop.zip!/deep/inner.csv'",
  );
  const jobId = await planVersion(rows[0]!.id);
  await run(jobId);
  const [, complete] = await eventsOf(jobId);
  const archive = join(fixture.folder, "in/drop.zip");
  expect(complete!.inputs).toMatchObject([
    {
      name: `${archive}!/deep/inner.csv`,
      facets: {
        hierarchy: {
          hierarchy: [
            { type: "ARCHIVE", name: archive },
            { type: "FILE", name: "deep/inner.csv" },
          ],
        },
      },
    },
  ]);
  expect(complete!.outputs).toMatchObject([{ outputFacets: { outputStatistics: { rowCount: 4 } } }]);
});

test("a result that came after that of a newer version is no output, because nobody ever saw it", async () => {
  await upsertTopic(fixture.database.db, "quick", "quick", { uri: "parquet://output/replaced", mode: "replace" });
  const old = await plan("r.csv", csv(5));
  await act(fixture.activities.runPlugin, { jobId: old, quick: false });
  const young = await plan("r.csv", csv(6));
  await run(young);
  expect(await act(fixture.activities.commitJob, { jobId: old, attempt: 1 })).toEqual({ state: "COMPLETED" });
  expect((await eventsOf(young)).at(-1)!.outputs).toHaveLength(1);
  expect((await eventsOf(old)).at(-1)).toMatchObject({ eventType: "COMPLETE", outputs: [] });
});
