import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { scanSources, type ScanContext, type ScanOutcome, type ScanStep, type ScanRequest } from "../../control/scan-sources.ts";
import type { Source } from "../../db/source-root.ts";
import { scanWorkflowId } from "../../workflows/names.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { testWorker, type TestWorker } from "../support/worker.ts";
import { patience } from "../support/patience.ts";

const { db, close } = await testDatabase();
const record = fillRecord(db);
let temporal: TestTemporal;
let worker: TestWorker;
let source: Source;
let pluginId: string;

/** What the fake scout and dispatcher do; reset for each test. */
let onScan: () => Promise<{ filesNew: number; settleInMs: number | null }>;
let onDispatch: () => Promise<void>;

beforeAll(async () => {
  temporal = await testTemporal();
  source = await record.source("inbox");
  pluginId = await record.plugin("clean", "1");
  const scanActivity = async () => {
    const { rows } = await db.query<{ id: string }>("insert into cf_scan (source_id) values ($1) returning id", [source.id]);
    const { filesNew, settleInMs } = await onScan();
    const report = { filesSeen: filesNew, filesNew, filesChanged: 0, filesVanished: 0, filesWaiting: settleInMs === null ? 0 : 1 };
    await db.query(
      "update cf_scan set state = 'COMPLETED', finished_at = now(), files_seen = $2, files_new = $2, files_waiting = $3 where id = $1",
      [rows[0]!.id, filesNew, report.filesWaiting],
    );
    const rest = { filesUnchanged: 0, filesReappeared: 0, bytesHashed: 0, findings: 0, message: null };
    return { outcome: "SCANNED", report: { ...report, ...rest }, nextSettleInMs: settleInMs };
  };
  worker = await testWorker(temporal, () => ({
    scan: scanActivity,
    scanPaths: scanActivity,
    dispatchFew: async () => (await onDispatch(), true),
  }));
});
beforeEach(() => {
  onScan = async () => ({ filesNew: 0, settleInMs: null });
  onDispatch = async () => {};
});
afterEach(async () => {
  await db.query("delete from cf_outbox; delete from cf_scan_pending");
  await temporal.client.workflow
    .getHandle(scanWorkflowId("inbox"))
    .terminate()
    .catch(() => {});
});
afterAll(async () => {
  await worker?.close();
  await temporal?.close();
  await close();
});

let seen: ScanStep[];
function scan(request: Partial<ScanRequest> = {}, options: Partial<ScanContext> = {}): Promise<ScanOutcome> {
  seen = [];
  const context = {
    db,
    temporal: temporal.client,
    signal: new AbortController().signal,
    onProgress: (step: ScanStep) => void seen.push(step),
  };
  return scanSources({ ...context, ...options }, { wait: false, timeoutMs: null, ...request });
}

test("a scan tells what it found, and why nothing follows", async () => {
  onScan = async () => {
    await record.version(source, "a.csv", "1");
    return { filesNew: 1, settleInMs: null };
  };
  const outcome = await scan({ source: "inbox" });
  expect(outcome.sources).toMatchObject([{ source: "inbox", state: "COMPLETED", filesSeen: 1, filesNew: 1 }]);
  expect(outcome.work).toMatchObject({ unplanned: 1, queued: 0, ended: {} });
  expect(outcome.trouble).toEqual({ message: "no rule sends 1 of 1 file to a plugin (.csv: 1)", hint: "casparian rule add '*.csv' clean" });
  expect(seen).toEqual([{ step: "scanning", sources: ["inbox"], scans: [] }]);
});

test("a scan that waits returns when every job has ended, with those that failed", async () => {
  const jobs: string[] = [];
  onScan = async () => {
    for (const name of ["good.csv", "bad.csv"]) jobs.push(await record.job(await record.version(source, name, name), pluginId, "clean"));
    return { filesNew: 2, settleInMs: null };
  };
  const waiting = scan({ wait: true });
  await vi.waitFor(() => expect(seen.at(-1)).toMatchObject({ step: "processing", queued: 2 }), patience);
  await record.complete(jobs[0]!, 3, "/out/good.parquet");
  await record.fail(jobs[1]!, "line 7");
  const outcome = await waiting;
  expect(outcome.work).toMatchObject({ queued: 0, running: 0, ended: { COMPLETED: 1, FAILED: 1 } });
  expect(outcome.failed).toMatchObject([{ id: jobs[1], path: "bad.csv", plugin: "clean", errorMessage: "line 7" }]);
  // What failed before this scan is not its failure.
  onScan = async () => ({ filesNew: 0, settleInMs: null });
  expect((await scan({ wait: true })).failed).toEqual([]);
});

test("a scan that does not wait joins one that waits for a file to settle, and does not wait for that", async () => {
  onScan = async () => ({ filesNew: 0, settleInMs: 600_000 });
  const stop = new AbortController();
  const patient = scan({ wait: true }, { signal: stop.signal }).catch((error: unknown) => error);
  await vi.waitFor(async () => {
    const { doing } = await temporal.client.workflow.getHandle(scanWorkflowId("inbox")).query<{ doing: string }>("progress");
    expect(doing).toBe("waiting for files to settle");
  }, patience);
  expect((await scan()).sources).toMatchObject([{ state: "COMPLETED" }]);
  stop.abort(new Error("enough"));
  expect(await patient).toEqual(new Error("enough"));
});

test("a scan that waits too long says what is left", async () => {
  onScan = async () => {
    await record.job(await record.version(source, "slow.csv", "slow"), pluginId, "clean");
    return { filesNew: 1, settleInMs: null };
  };
  await expect(scan({ wait: true, timeoutMs: 3_000 })).rejects.toMatchObject({
    code: "SCAN_TIMEOUT",
    message: expect.stringContaining(
      "not done after 3 s: 0 files have not settled, 0 versions are not planned, 1 jobs are queued",
    ) as string,
  });
});

test("a scan that fails says it in the scout's words", async () => {
  const { ApplicationFailure } = await import("@temporalio/common");
  onScan = async () => {
    throw ApplicationFailure.nonRetryable("the folder is not there", "ROOT_MISSING");
  };
  await expect(scan()).rejects.toMatchObject({
    code: "SCAN_FAILED",
    message: "source inbox could not be scanned: the folder is not there",
  });
});

test("nothing to scan is wrong use", async () => {
  await expect(scan({ source: "inbxo" })).rejects.toMatchObject({ code: "WRONG_USE", hint: "Did you mean inbox?" });
  await db.query("update cf_source_root set state = 'PAUSED'");
  await expect(scan({ source: "inbox" })).rejects.toThrow("source inbox is paused");
  await expect(scan()).rejects.toThrow("every source is paused");
  await db.query("update cf_source_root set state = 'REMOVED'");
  await expect(scan()).rejects.toThrow("there is no source to scan");
  await db.query("update cf_source_root set state = 'ACTIVE'");
});

test("without a worker it does not wait for ever", async () => {
  const other = await testTemporal();
  try {
    await expect(scan({}, { temporal: other.client })).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: `no worker runs for the task queue casparian of namespace ${other.namespace}`,
    });
  } finally {
    await other.close();
  }
});
