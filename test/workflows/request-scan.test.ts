import { execFileSync } from "node:child_process";
import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createRequestScanActivities } from "../../activities/request-scan.ts";
import { createScanActivities } from "../../activities/scan.ts";
import { surveySchedules } from "../../control/schedules/survey.ts";
import { insertSource, setSourceState, type Source, type SourceSettings } from "../../db/source-root.ts";
import { moveWorkflows } from "../../workers/move-workflows.ts";
import { requestScan } from "../../workers/request-scan.ts";
import { scanWorkflowId, taskQueue } from "../../workflows/names.ts";
import { createScoutThreads } from "../../scout/threads.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { testTools } from "../support/tools.ts";
import { testWorker, type TestWorker } from "../support/worker.ts";
import { patience } from "../support/patience.ts";

let database: TestDatabase;
let temporal: TestTemporal;
let client: Client;
let worker: TestWorker;

interface Scan {
  readonly source: string;
  readonly paths: readonly string[] | null;
}
/** What was scanned, and what a scan of a source waits for before it ends. */
const scans: Scan[] = [];
const gates = new Map<string, Promise<void>>();
const settleInMs = new Map<string, number>();

beforeAll(async () => {
  [database, temporal] = await Promise.all([testDatabase(), testTemporal()]);
  const real = createScanActivities({ db: database.db, log: quietLog, dispatch: async () => 0, threads: createScoutThreads(1) });
  const scan: (typeof real)["scan"] = async ({ source, paths }) => {
    scans.push({ source, paths });
    await gates.get(source);
    const counts = { filesSeen: 0, filesNew: 0, filesChanged: 0, filesUnchanged: 0, filesVanished: 0, filesReappeared: 0, filesLeftOut: 0 };
    const waits = settleInMs.get(source) ?? null;
    settleInMs.delete(source);
    const report = { ...counts, scanId: "1", filesWaiting: waits === null ? 0 : 1, bytesHashed: 0, findings: 0, message: null };
    return { outcome: "SCANNED", report, nextSettleInMs: waits };
  };
  worker = await testWorker(temporal, () => ({
    ...real,
    scan,
    scanPaths: scan,
    ...createRequestScanActivities({ db: database.db, requestScan: (source) => requestScan(client, source, "due") }),
  }));
  client = worker.client;
});
afterAll(async () => {
  await worker.close();
  await temporal.close();
  await database.close();
});
const scansOf = ({ name }: Source) => scans.filter((scan) => scan.source === name).map(({ paths }) => paths);
const scanOf = ({ name }: Source) => temporal.client.workflow.getHandle(scanWorkflowId(name));
const scheduleOf = ({ name }: Source) => temporal.client.schedule.getHandle(`scan:${name}`);

/** A source of its own with its schedule, whose times are far away. */
async function scheduledSource(settings: Partial<SourceSettings> = {}): Promise<Source> {
  const name = `source-${scans.length}-${Math.random().toString(36).slice(2, 8)}`;
  const source = await insertSource(database.db, { name, path: `/${name}`, everyMs: 3_600_000 * 1_000, ...settings });
  const { troubles } = await surveySchedules({ db: database.db, temporal: temporal.client });
  for (const { mend } of troubles) await mend?.();
  return source!;
}

/** What a schedule does when its time has come; returns what came of it. */
async function trigger(source: Source): Promise<unknown> {
  const before = (await scheduleOf(source).describe()).info.numActionsTaken;
  await scheduleOf(source).trigger();
  const workflowId = await vi.waitFor(async () => {
    const { info } = await scheduleOf(source).describe();
    expect(info.numActionsTaken).toBe(before + 1);
    return info.recentActions.at(-1)!.action.workflow.workflowId;
  }, patience);
  expect(workflowId).toMatch(new RegExp(`^request-scan:${source.name}-\\d{4}-`));
  return temporal.client.workflow.getHandle(workflowId).result();
}

/** Holds the scans of a source until it is called. */
function hold({ name }: Source): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  gates.set(name, promise);
  return resolve;
}

test("a schedule has everything scanned by the workflow that hints reach", async () => {
  const source = await scheduledSource();
  const release = hold(source);
  expect(await trigger(source)).toEqual({ outcome: "ASKED" });
  await vi.waitFor(() => expect(scansOf(source)).toEqual([null]), patience);
  await requestScan(client, source, ["a.csv"]);
  release();
  await scanOf(source).result();
  expect(scansOf(source)).toEqual([null, ["a.csv"]]);
  expect((await scanOf(source).describe()).searchAttributes).toMatchObject({ CasparianSource: [source.name] });
});

test("a source's priority holds for its scan's activities, too", async () => {
  const [name, workerGroup] = ["urgent", "without-activities"];
  const queue = `${taskQueue}:${workerGroup}`;
  // Runs workflows only, so that the activity waits in the queue.
  const workflows = await testWorker(temporal, undefined, queue);
  try {
    await requestScan(client, { name, workerGroup, priority: 50 }, "everything");
    const { workflowService } = temporal.connection;
    const poll = { namespace: temporal.namespace, taskQueue: { name: queue }, identity: "test" };
    const task = await temporal.connection.withDeadline(Date.now() + 30_000, () => workflowService.pollActivityTaskQueue(poll));
    expect(task).toMatchObject({ activityType: { name: "scan" }, priority: { priorityKey: 1, fairnessKey: name } });
    await temporal.client.workflow.getHandle(scanWorkflowId(name)).terminate();
  } finally {
    await workflows.close();
  }
});

test("a scan that takes longer than its interval is not followed by another at once", async () => {
  const source = await scheduledSource();
  const release = hold(source);
  await trigger(source);
  await vi.waitFor(() => expect(scansOf(source)).toHaveLength(1), patience);
  expect(await trigger(source)).toEqual({ outcome: "ASKED" });
  release();
  await scanOf(source).result();
  expect(scansOf(source)).toEqual([null]);
});

test("one of some paths, or one that waits for files to settle, is followed by a look at everything", async () => {
  const source = await scheduledSource();
  const release = hold(source);
  settleInMs.set(source.name, 3_600_000);
  await requestScan(client, source, ["a.csv"]);
  await vi.waitFor(() => expect(scansOf(source)).toEqual([["a.csv"]]), patience);
  release();
  const doing = () => scanOf(source).query<{ doing: string }>("progress");
  await vi.waitFor(async () => expect((await doing()).doing).toBe("waiting for files to settle"), patience);
  await trigger(source);
  await scanOf(source).result();
  expect(scansOf(source)).toEqual([["a.csv"], null]);
});

test("a paused or removed source is left alone, also while its schedule lags behind", async () => {
  for (const state of ["PAUSED", "REMOVED"] as const) {
    const source = await scheduledSource();
    await setSourceState(database.db, source.id, state);
    expect(await trigger(source)).toEqual({ outcome: state });
    expect(scansOf(source)).toEqual([]);
  }
});

test("Temporal's own command line triggers it", async () => {
  const source = await scheduledSource();
  const place = ["--address", temporal.address, "--namespace", temporal.namespace];
  execFileSync(testTools().temporal, ["schedule", "trigger", "--schedule-id", `scan:${source.name}`, ...place]);
  await vi.waitFor(() => expect(scansOf(source)).toEqual([null]), patience);
});

test("requests that nobody answers don't pile up", async () => {
  const source = await scheduledSource({ workerGroup: "absent", everyMs: 1_000 });
  await vi.waitFor(async () => {
    const { info } = await scheduleOf(source).describe();
    expect(info.numActionsSkippedOverlap).toBeGreaterThan(1);
    expect(info.numActionsTaken).toBe(1);
  }, patience);
  await scheduleOf(source).delete();
});

test("what waits in the queue of workers that a source no longer belongs to is moved to its own", async () => {
  const source = await scheduledSource({ workerGroup: "gone" });
  await scheduleOf(source).trigger();
  await requestScan(client, source, "everything");
  const version = await temporal.client.workflow.start("processFileVersion", {
    workflowId: "file-version:4711",
    taskQueue: "casparian:gone",
    args: [{ fileVersionId: "4711" }],
    searchAttributes: { CasparianSource: [source.name] },
  });
  const move = () =>
    moveWorkflows({ db: database.db, client, log: quietLog, requestScan: (each) => requestScan(client, each, "everything") });
  const query = `CasparianSource = "${source.name}" and ExecutionStatus = "Running"`;
  await vi.waitFor(async () => expect((await temporal.client.workflow.count(query)).count).toBe(3), patience);
  expect(await move()).toBe(0);

  await database.db.query("update cf_source_root set worker_group = null where id = $1", [source.id]);
  expect(await move()).toBe(3);
  await vi.waitFor(() => expect(scansOf(source)).toEqual([null]), patience);
  expect((await scanOf(source).describe()).taskQueue).toBe(taskQueue);
  expect((await version.describe()).status.name).toBe("TERMINATED");
});
