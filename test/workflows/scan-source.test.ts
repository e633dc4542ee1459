import { execFileSync } from "node:child_process";
import { appendFileSync, renameSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createDispatcher } from "../../activities/dispatch.ts";
import { createScanActivities } from "../../activities/scan.ts";
import { takeOutboxRow } from "../../db/outbox.ts";
import { setSourceState } from "../../db/source-root.ts";
import { createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { scanWorkflowId, signals, taskQueue } from "../../workflows/names.ts";
import type { ScanSourceProgress, ScanSourceResult } from "../../workflows/scan-source.ts";
import { openField, recordingLog, removeTemporaryFolders } from "../scout/fixture.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { testTools } from "../support/tools.ts";
import { testWorker, type TestWorker } from "../support/worker.ts";
import { patience } from "../support/patience.ts";

let database: TestDatabase;
let temporal: TestTemporal;
let threads: ScoutThreads;
let worker: TestWorker;
beforeAll(async () => {
  [database, temporal] = await Promise.all([testDatabase(), testTemporal()]);
  threads = createScoutThreads(2);
  worker = await testWorker(temporal, (client) => {
    const dispatcher = createDispatcher({ db: database.db, client, log: recordingLog() });
    return {
      ...createScanActivities({ db: database.db, log: recordingLog(), dispatch: dispatcher.dispatch, threads }),
      // What comes after the dispatch is other tests' matter.
      planJobs: async ({ fileVersionId }: { fileVersionId: string }) => {
        await takeOutboxRow(database.db, fileVersionId);
        return { jobs: [] };
      },
    };
  });
});
afterAll(async () => {
  await worker.close();
  await threads.close();
  await temporal.close();
  await database.close();
  removeTemporaryFolders();
});

const field = (settleMs = 0) => openField(database.db, threads, { settleMs });
const handleOf = (source: string) => temporal.client.workflow.getHandle(scanWorkflowId(source));

async function start(source: string, input: unknown = { source }): Promise<ScanSourceResult> {
  const options = { workflowId: scanWorkflowId(source), taskQueue, args: [input] };
  return temporal.client.workflow.execute("scanSource", options) as Promise<ScanSourceResult>;
}

async function historyOf(source: string): Promise<readonly string[]> {
  const { events } = await handleOf(source).fetchHistory();
  return (events ?? []).map(
    (event) =>
      Object.keys(event)
        .find((key) => key.endsWith("EventAttributes"))
        ?.replace("EventAttributes", "") ?? "",
  );
}

const cli = (...args: string[]) =>
  execFileSync(testTools().temporal, ["workflow", ...args, "--address", temporal.address, "--namespace", temporal.namespace], {
    encoding: "utf8",
  });

const versions = async (sourceId: string) =>
  (
    await database.db.query<{ id: string; path: string }>(
      "select v.id, l.rel_path as path from cf_file_version v join cf_file_location l on l.id = v.location_id where l.source_id = $1 order by v.id",
      [sourceId],
    )
  ).rows;

test("scans, dispatches each version, and returns what it did", async () => {
  const { write, source } = await field();
  write("a", "1");
  write("sub/b", "2");

  expect(await start(source.name)).toMatchObject({
    outcome: "SCANNED",
    scans: 1,
    filesSeen: 2,
    filesNew: 2,
    filesWaiting: 0,
    bytesHashed: 2,
    findings: 0,
  });

  for (const { id } of await versions(source.id)) {
    await expect(temporal.client.workflow.getHandle(`file-version:${id}`).result()).resolves.toEqual({ jobs: [] });
  }
  const { rows } = await database.db.query("select count(*)::int from cf_outbox");
  expect(rows).toEqual([{ count: 0 }]);
  const found = await handleOf(source.name).describe();
  expect(found.searchAttributes).toMatchObject({ CasparianSource: [source.name] });
  expect(await historyOf(source.name)).toEqual(expect.arrayContaining(["activityTaskScheduled", "markerRecorded"]));
});

test("Temporal's own command line starts one with the source's name, and hints at paths", async () => {
  const { write, source } = await field();
  write("a", "1");
  cli(
    "start",
    "--type",
    "scanSource",
    "--task-queue",
    taskQueue,
    "--workflow-id",
    scanWorkflowId(source.name),
    "--input",
    JSON.stringify(source.name),
  );
  expect(await handleOf(source.name).result()).toMatchObject({ filesNew: 1 });

  write("b", "2");
  write("c", "3");
  cli(
    "signal-with-start",
    "--type",
    "scanSource",
    "--task-queue",
    taskQueue,
    "--workflow-id",
    scanWorkflowId(source.name),
    "--input",
    JSON.stringify({ source: source.name, paths: [] }),
    "--signal-name",
    signals.hint,
    "--signal-input",
    '["b"]',
  );
  expect(await handleOf(source.name).result()).toMatchObject({ filesNew: 1, filesSeen: 1 });
});

test("waits until files have settled, and takes hints meanwhile", async () => {
  const { root, write, source } = await field(1_500);
  write("a", "1");
  const result = start(source.name);
  const progress = () => handleOf(source.name).query<ScanSourceProgress>("progress");
  await vi.waitFor(async () => expect(await progress()).toMatchObject({ doing: "waiting for files to settle", filesWaiting: 1 }), patience);
  write("b", "2");
  await handleOf(source.name).signal(signals.hint, ["b"]);
  await vi.waitFor(async () => expect(await progress()).toMatchObject({ filesWaiting: 2 }), patience);
  // What the Web UI shows.
  expect(await handleOf(source.name).query("__temporal_workflow_metadata")).toMatchObject({
    currentDetails: expect.stringMatching(/^Source \*\*\S+\*\*: waiting for files to settle\n\nDone so far: .* 2 still to settle/),
  });
  appendFileSync(join(root, "a"), "more");

  expect(await result).toMatchObject({ filesNew: 2, filesWaiting: 0 });
  const { rows } = await database.db.query(
    "select l.rel_path, count(*)::int from cf_file_version v join cf_file_location l on l.id = v.location_id where l.source_id = $1 group by 1 order by 1",
    [source.id],
  );
  expect(rows).toEqual([
    { rel_path: "a", count: 1 },
    { rel_path: "b", count: 1 },
  ]);
  expect(await historyOf(source.name)).toContain("timerStarted");
});

test("returns while files wait when it is told to", async () => {
  const { write, source } = await field(3_600_000);
  write("a", "1");
  expect(await start(source.name, { source: source.name, waitUntilSettled: false })).toMatchObject({ filesNew: 0, filesWaiting: 1 });
});

describe("a hint", () => {
  test("given with the start is looked at together with it, in one step without an activity task", async () => {
    const { write, source } = await field();
    for (const name of ["a", "b", "c"]) write(name, name);
    const handle = await temporal.client.workflow.signalWithStart("scanSource", {
      workflowId: scanWorkflowId(source.name),
      taskQueue,
      args: [{ source: source.name, paths: ["a"] }],
      signal: signals.hint,
      signalArgs: [["b"]],
    });
    expect(await handle.result()).toMatchObject({ scans: 1, filesSeen: 2, filesNew: 2 });
    expect(await historyOf(source.name)).not.toContain("activityTaskScheduled");
  });

  test("without paths, and one of too many, looks at everything", async () => {
    for (const hint of [undefined, null, Array.from({ length: 1_001 }, (_, index) => `f${index}`)]) {
      const { write, source } = await field();
      write("somewhere", "1");
      const handle = await temporal.client.workflow.signalWithStart("scanSource", {
        workflowId: scanWorkflowId(source.name),
        taskQueue,
        args: [{ source: source.name, paths: [] }],
        signal: signals.hint,
        signalArgs: [hint],
      });
      expect(await handle.result()).toMatchObject({ filesNew: 1 });
    }
  });

  test("of a folder with more than a short step takes becomes a step with heartbeats", async () => {
    const { root, write, source } = await field();
    write("big/sparse", "");
    truncateSync(join(root, "big/sparse"), 70 * 1024 * 1024);
    expect(await start(source.name, { source: source.name, paths: ["big"] })).toMatchObject({ scans: 1, filesNew: 1 });
    expect(await historyOf(source.name)).toContain("activityTaskScheduled");
  });
});

describe("ends clearly", () => {
  test("for a source that nobody added", async () => {
    const { source } = await field();
    const failure = await start(`${source.name}x`).catch((error: unknown) => error);
    expect(failure).toMatchObject({ cause: { message: `there is no source "${source.name}x"`, type: "UNKNOWN_SOURCE" } });
  });

  test("for one that is paused or removed", async () => {
    for (const state of ["PAUSED", "REMOVED"] as const) {
      const { write, source } = await field();
      write("a", "1");
      await setSourceState(database.db, source.id, state);
      expect(await start(source.name)).toMatchObject({ outcome: state, filesSeen: 0 });
      expect(await versions(source.id)).toEqual([]);
    }
  });

  test("for one whose folder is missing", async () => {
    const { root, source } = await field();
    renameSync(root, `${root}-away`);
    const failure = await start(source.name).catch((error: unknown) => error);
    expect(failure).toMatchObject({ cause: { type: "SOURCE_ROOT_MISSING", message: expect.stringContaining(root) } });
    renameSync(`${root}-away`, root);
  });

  test("when it is cancelled while it waits", async () => {
    const { write, source } = await field(3_600_000);
    write("a", "1");
    const result = start(source.name);
    await vi.waitFor(
      async () => expect(await handleOf(source.name).query<ScanSourceProgress>("progress")).toMatchObject({ filesWaiting: 1 }),
      patience,
    );
    await handleOf(source.name).cancel();
    await expect(result).rejects.toMatchObject({ cause: { name: "CancelledFailure" } });
  });

  test("when it is cancelled in the middle of a long file, with the scan on record as cancelled", async () => {
    const { root, write, source } = await field();
    write("sparse", "");
    truncateSync(join(root, "sparse"), 64 * 1024 ** 3);
    const result = start(source.name);
    await vi.waitFor(async () => {
      const [activity] = (await handleOf(source.name).describe()).raw.pendingActivities ?? [];
      const [details] = activity?.heartbeatDetails?.payloads ?? [];
      expect(JSON.parse(Buffer.from(details?.data ?? []).toString() || "{}")).toMatchObject({
        step: "hash",
        filesSeen: 1,
        filesToHash: 1,
        bytesHashed: expect.any(Number),
        filesPerSecond: 0,
        bytesPerSecond: expect.any(Number),
      });
    }, patience);
    await handleOf(source.name).cancel();
    await expect(result).rejects.toMatchObject({ cause: { name: "CancelledFailure" } });
    const { rows } = await database.db.query("select state from cf_scan where source_id = $1", [source.id]);
    expect(rows).toEqual([{ state: "CANCELLED" }]);
    expect(await versions(source.id)).toEqual([]);
  });
});
