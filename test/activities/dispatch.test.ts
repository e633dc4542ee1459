import { Client } from "@temporalio/client";
import { NativeConnection } from "@temporalio/worker";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createDispatcher } from "../../activities/dispatch.ts";
import { recordVersions } from "../../db/file-version.ts";
import { insertOutbox, takeOutboxRow } from "../../db/outbox.ts";
import { findSource, insertSource, updateSource, type SourceSettings } from "../../db/source-root.ts";
import { fileVersionWorkflowId } from "../../workflows/names.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";

let database: TestDatabase;
let temporal: TestTemporal;
let sourceId: string;
let count = 0;
beforeAll(async () => {
  [database, temporal] = await Promise.all([testDatabase(), testTemporal()]);
  sourceId = (await insertSource(database.db, { name: "drops", path: "/drops", settleMs: 0, include: [], exclude: [] }))!.id;
});
afterAll(async () => {
  await temporal.close();
  await database.close();
});
beforeEach(() => database.db.query("delete from cf_outbox"));

const dispatcher = (client = temporal.client, groups: readonly string[] = []) =>
  createDispatcher({ db: database.db, client, log: quietLog, groups });

/** Records versions of new files, as a scan does, and returns their ids. */
const recordFiles = (...relPaths: string[]) => recordIn(sourceId, ...relPaths);

async function recordIn(ofSource: string, ...relPaths: string[]): Promise<readonly string[]> {
  count += 1;
  const stat = { sizeBytes: count, mtimeNs: 0n, ctimeNs: BigInt(count), inode: 1n };
  await recordVersions(
    database.db,
    ofSource,
    relPaths.map((relPath) => ({ relPath, hash: count.toString(16).padStart(64, "0"), stat })),
  );
  const { rows } = await database.db.query<{ id: string }>(
    `select v.id from unnest($1::text[]) with ordinality as wanted (path, place) join cf_file_location l on l.rel_path = path and l.source_id = $2
     join lateral (select id from cf_file_version where location_id = l.id order by sequence desc limit 1) v on true order by place`,
    [relPaths, ofSource],
  );
  return rows.map((row) => row.id);
}

const describe = (id: string) => temporal.client.workflow.getHandle(fileVersionWorkflowId(id)).describe();

async function historyOf(id: string): Promise<readonly string[]> {
  const { events } = await temporal.client.workflow.getHandle(fileVersionWorkflowId(id)).fetchHistory();
  return (events ?? []).map((event) => Object.keys(event).find((key) => key.endsWith("EventAttributes")) ?? "");
}

test("each version in the outbox gets a workflow that an operator finds by source and path", async () => {
  const [id] = await recordFiles("in/trades 2024.csv");
  expect(await dispatcher().dispatch()).toBe(1);

  const found = await describe(id!);
  expect(found).toMatchObject({ type: "processFileVersion", taskQueue: "casparian", status: { name: "RUNNING" } });
  expect(found.searchAttributes).toMatchObject({ CasparianSource: ["drops"], CasparianPath: ["in/trades 2024.csv"] });
  expect(await found.staticSummary()).toBe("drops/in/trades 2024.csv · version 1");
});

test("a second dispatch starts nothing again", async () => {
  const ids = await recordFiles("b1", "b2", "b3");
  expect(await dispatcher().dispatch()).toBe(3);
  expect(await dispatcher().dispatch()).toBe(0);
  expect(await historyOf(ids[0]!)).toHaveLength(2);
});

test("dispatchers that run at once share the work", async () => {
  await recordFiles(...Array.from({ length: 40 }, (_, index) => `shared-${index}`));
  const started = await Promise.all(Array.from({ length: 4 }, () => dispatcher().dispatch()));
  expect(started.reduce((sum, each) => sum + each, 0)).toBe(40);
});

test("a version that was started and never planned is started again after a minute", async () => {
  const [id] = await recordFiles("lost");
  await dispatcher().dispatch();
  await temporal.client.workflow.getHandle(fileVersionWorkflowId(id!)).terminate("its history is lost");
  expect(await dispatcher().dispatch()).toBe(0);
  await database.db.query("update cf_outbox set started_at = now() - interval '61 s'");
  expect(await dispatcher().dispatch()).toBe(1);
  expect((await describe(id!)).status.name).toBe("RUNNING");
});

test("a retry is told to the workflow that runs, and starts one where none does", async () => {
  const [running, ended] = await recordFiles("running", "ended");
  await dispatcher().dispatch();
  await temporal.client.workflow.getHandle(fileVersionWorkflowId(ended!)).terminate();
  for (const id of [running!, ended!]) await takeOutboxRow(database.db, id);
  await insertOutbox(database.db, [running!, ended!], "RETRY");

  expect(await dispatcher().dispatch()).toBe(2);
  expect(await historyOf(running!)).toContain("workflowExecutionSignaledEventAttributes");
  expect((await describe(ended!)).status.name).toBe("RUNNING");
});

test("names as long as a file system allows can be started", async () => {
  const path = `${"ordner-mit-ümläuten/".repeat(12)}${'"quoted"\n'.repeat(20)}ende.csv`;
  const [id] = await recordFiles(path);
  await dispatcher().dispatch();
  const found = await describe(id!);
  expect(await found.staticSummary()).toMatch(/^drops\/….*ende\.csv · version 1$/s);
  expect(found.searchAttributes).toMatchObject({ CasparianPath: [expect.stringMatching(/ende\.csv$/)] });
});

test("only so many are started ahead of their planning; the rest waits in the outbox", async () => {
  await recordFiles(...Array.from({ length: 1_005 }, (_, index) => `many-${index}`));
  // As if a thousand had just been started.
  await database.db.query(
    "update cf_outbox set started_at = now() where file_version_id in (select file_version_id from cf_outbox limit 998)",
  );
  expect(await dispatcher().dispatch()).toBe(2);
  const { rows } = await database.db.query("select count(*)::int from cf_outbox where started_at is null");
  expect(rows).toEqual([{ count: 5 }]);
});

test("what Temporal refuses stays in the outbox, and the failure says which", async () => {
  await recordFiles("refused");
  const elsewhere = new Client({ connection: temporal.connection, namespace: "nobody-made-this" });
  await expect(dispatcher(elsewhere).dispatch()).rejects.toMatchObject({
    code: "DISPATCH_FAILED",
    message: expect.stringContaining("drops/refused · version 1"),
  });
  expect(await dispatcher().dispatch()).toBe(1);
});

test("a worker's own connection asks for an eager start", async () => {
  const connection = await NativeConnection.connect({ address: temporal.address });
  const [id] = await recordFiles("eager");
  expect(await dispatcher(new Client({ connection, namespace: temporal.namespace })).dispatch()).toBe(1);
  expect((await describe(id!)).status.name).toBe("RUNNING");
  await connection.close();
});

async function addSource(name: string, settings: Partial<SourceSettings>): Promise<string> {
  return (await insertSource(database.db, { name, path: `/${name}`, ...settings }))!.id;
}

/** The order in which they were started. */
async function startOrder(ids: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const started: string[] = [];
  // One by one, so that the lanes don't mix them.
  while ((await dispatcher().dispatch({ limit: 1 })) > 0) {
    for (const [name, id] of Object.entries(ids)) {
      const { rows } = await database.db.query("select from cf_outbox where file_version_id = $1 and started_at is not null", [id]);
      if (rows.length === 1 && !started.includes(name)) started.push(name);
    }
  }
  return started;
}

const priorityOf = async (id: string) => (await describe(id)).raw.workflowExecutionInfo?.priority;

test("a source with a higher priority goes first, then what is new before a backfill, then what waits longest", async () => {
  const [urgent, patient] = [await addSource("urgent", { priority: 20 }), await addSource("patient", { priority: -1 })];
  const [late] = await recordIn(patient, "p1");
  const [backfilled, first, second] = await recordFiles("d0", "d1", "d2");
  const [urgently, belated] = await recordIn(urgent, "u1", "u2");
  await database.db.query("delete from cf_outbox where file_version_id = any ($1)", [[backfilled, belated]]);
  await insertOutbox(database.db, [backfilled!, belated!], "BACKFILL");
  await database.db.query("update cf_outbox set requested_at = now() - interval '1 h' where file_version_id = any ($1)", [
    [backfilled, first],
  ]);
  const ids = { late: late!, backfilled: backfilled!, first: first!, second: second!, urgently: urgently!, belated: belated! };

  expect(await startOrder(ids)).toEqual(["urgently", "belated", "first", "second", "backfilled", "late"]);
  expect(await priorityOf(urgently!)).toMatchObject({ priorityKey: 1, fairnessKey: "urgent" });
  expect(await priorityOf(belated!)).toMatchObject({ priorityKey: 2 });
  expect(await priorityOf(first!)).toMatchObject({ priorityKey: 3, fairnessKey: "drops" });
  expect(await priorityOf(backfilled!)).toMatchObject({ priorityKey: 4 });
  expect(await priorityOf(late!)).toMatchObject({ priorityKey: 4, fairnessKey: "patient" });
});

test("a replay goes behind what is new, also behind what came later", async () => {
  const [replayed, first, second] = await recordFiles("r0", "r1", "r2");
  await database.db.query("update cf_outbox set reason = 'REPLAY', requested_at = now() - interval '1 h' where file_version_id = $1", [
    replayed,
  ]);
  expect(await startOrder({ replayed: replayed!, first: first!, second: second! })).toEqual(["first", "second", "replayed"]);
  expect(await priorityOf(replayed!)).toMatchObject({ priorityKey: 4, fairnessKey: "drops" });
});

test("a changed priority holds for what waits already", async () => {
  const [slow] = [await addSource("slow", {})];
  const [other] = await recordFiles("e1");
  const [id] = await recordIn(slow, "s1");
  await updateSource(database.db, slow, { ...(await findSource(database.db, "slow"))!, priority: 5 });
  expect(await startOrder({ other: other!, id: id! })).toEqual(["id", "other"]);
});

test("what only a group's workers reach waits for them, and is started on their queue", async () => {
  const nas = await addSource("nas-drops", { workerGroup: "nas" });
  const [theirs] = await recordIn(nas, "n1");
  const [everybodys] = await recordFiles("f1");
  // As if a worker of the group had started a thousand, and died.
  await recordIn(nas, ...Array.from({ length: 1_000 }, (_, index) => `n-many-${index}`));
  await database.db.query("update cf_outbox set started_at = now() where worker_group = 'nas' and file_version_id <> $1", [theirs]);
  expect(await dispatcher().dispatch()).toBe(1);
  expect((await describe(everybodys!)).taskQueue).toBe("casparian");

  await database.db.query("delete from cf_outbox where file_version_id <> $1", [theirs]);
  expect(await dispatcher().dispatch()).toBe(0);
  expect(await dispatcher(temporal.client, ["lab", "nas"]).dispatch()).toBe(1);
  expect((await describe(theirs!)).taskQueue).toBe("casparian:nas");
});
