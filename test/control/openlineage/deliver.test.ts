import { mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { deliverRunEvents, destinationOf } from "../../../control/openlineage/deliver.ts";
import { readRunEvents } from "../../../control/read-run-events.ts";
import { forgetSubscribers, retryRefused, runEventDelivery, subscribe } from "../../../db/run-event-delivery.ts";
import type { OpenLineageSettings } from "../../../domain/openlineage.ts";
import { testDatabase } from "../../support/database.ts";
import { quietLog } from "../../support/quiet-log.ts";
import { fillRecord } from "../../support/record.ts";
import { startReceiver } from "./receiver.ts";
import { validEvent, type Event } from "./validate.ts";

const { db, close } = await testDatabase();
const receiver = await startReceiver();
const folder = await mkdtemp(join(tmpdir(), "casparian-lineage-"));
const keyFile = join(folder, "key");
await writeFile(keyFile, "a-secret-key\n");
const record = fillRecord(db);
const source = await record.source("in", "/data/in");
const pluginId = await record.plugin("trades", "1", { manifest: { description: "Reads trades" } });
afterAll(async () => {
  await close();
  await receiver.close();
  await rm(folder, { recursive: true });
});

type Place = OpenLineageSettings["destination"];
const endpoint: Place = { kind: "http", url: receiver.url, apiKey: { file: keyFile } };
const never = new AbortController().signal;
let files = 0;

beforeEach(async () => {
  await db.query("delete from cf_run_event_outbox");
  await db.query("update cf_run_event_delivery set failures = 0, failing_since = null, error = null, retry_at = null");
  await subscribe(db, "host:/home", "somewhere");
  receiver.forget();
  receiver.answer(() => 201);
});

function deliver(destination: Place = endpoint, signal = never): Promise<void> {
  const settings = { namespace: "tests", sourceCode: false, destination };
  return deliverRunEvents({ db, log: quietLog, destination: destinationOf(settings)!, settings }, signal);
}

/** As if the pause after a failure were over. */
async function clearPause(): Promise<void> {
  await db.query("update cf_run_event_delivery set retry_at = null");
}

async function completedJobs(count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    files += 1;
    const id = await record.job(await record.version(source, `${files}.csv`, `content ${files}`), pluginId, "trades");
    await record.complete(id, i, `/data/output/output/${files}.parquet`);
    ids.push(id);
  }
  return ids;
}

function jobOf(event: Event): string {
  return event.run.facets["tags"].tags.find((tag: { key: string }) => tag.key === "casparian.job").value as string;
}

function kindsOf(jobId: string, events: readonly Event[] = receiver.events): readonly string[] {
  return events.filter((event) => jobOf(event) === jobId).map(({ eventType }) => eventType);
}

test("every event arrives once, in order for each run, with the key, and leaves the record", async () => {
  const jobs = await completedJobs(130);
  await deliver();
  for (const id of jobs) expect(kindsOf(id)).toEqual(["START", "COMPLETE"]);
  expect(receiver.events).toHaveLength(260);
  expect(new Set(receiver.events.map((event) => event.run.runId)).size).toBe(130);
  expect(receiver.requests[0]).toMatchObject({
    path: "/api/v1/lineage",
    headers: { "content-type": "application/json", authorization: "Bearer a-secret-key" },
  });
  expect(await runEventDelivery(db)).toMatchObject({ waiting: 0, refused: 0, failures: 0, error: null, sent: 260 });
  await deliver();
  expect(receiver.events).toHaveLength(260);
});

test("what is sent is what is told without an endpoint, to the byte", async () => {
  const [jobId] = await completedJobs(1);
  const told: string[] = [];
  const context = { db, actor: "ann@desk", temporal: null };
  await readRunEvents(
    context,
    { since: new Date(0), jobId },
    { namespace: "tests", sourceCode: false },
    async (lines) => told.push(...lines) > 0,
  );
  await deliver();
  expect(receiver.requests.map(({ body }) => body)).toEqual(told);
  expect(receiver.events[0]).toMatchObject({
    job: { namespace: "tests", name: "trades", facets: { documentation: { description: "Reads trades" } } },
    inputs: [{ namespace: "file", name: `/data/in/${files}.csv` }],
    outputs: [],
  });
});

test("while the endpoint is down nothing is lost, and it is left alone for longer each time", async () => {
  const down = await startReceiver();
  await down.close();
  const [jobId] = await completedJobs(1);
  const pauses: number[] = [];
  for (let i = 0; i < 8; i++) {
    await deliver({ kind: "http", url: down.url, apiKey: null });
    const { rows } = await db.query<{ pause: number }>(
      "select extract(epoch from retry_at - now())::float8 as pause from cf_run_event_delivery",
    );
    pauses.push(Math.ceil(rows[0]!.pause));
    // Within the pause nothing is tried.
    await deliver({ kind: "http", url: down.url, apiKey: null });
    expect(await runEventDelivery(db)).toMatchObject({ waiting: 2, failures: i + 1 });
    await clearPause();
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect((await runEventDelivery(db)).error).toContain("can't be reached: connect ECONNREFUSED");
  await deliver();
  expect(kindsOf(jobId!)).toEqual(["START", "COMPLETE"]);
  expect(await runEventDelivery(db)).toMatchObject({ waiting: 0, failures: 0, error: null });
});

test.each([
  [503, { "retry-after": "120" }, 120],
  [429, { "retry-after": "7" }, 7],
  [401, {}, 1],
  [404, {}, 1],
  [307, { location: "https://elsewhere.example/" }, 1],
])("an endpoint that answers %i takes nothing, and events wait as long as it says", async (status, headers, seconds) => {
  receiver.answer(() => ({ status, headers, body: "no, not with a-secret-key" }));
  await completedJobs(3);
  await deliver();
  expect(receiver.requests.length).toBeLessThanOrEqual(3);
  const delivery = await runEventDelivery(db);
  expect(delivery).toMatchObject({ waiting: 6, refused: 0, failures: 1 });
  expect(delivery.error).toContain(`answers ${status}`);
  expect(delivery.error).not.toContain("a-secret-key");
  const { rows } = await db.query<{ pause: number }>(
    "select round(extract(epoch from retry_at - now()))::float8 as pause from cf_run_event_delivery",
  );
  expect(rows[0]!.pause).toBe(seconds);
});

test("an event that is refused is set aside with the endpoint's words, and keeps none of the others", async () => {
  const [bad, good] = await completedJobs(2);
  receiver.answer((event) => (jobOf(event) === bad && event.eventType === "START" ? { status: 422, body: "bad facet" } : 201));
  await deliver();
  expect(kindsOf(bad!)).toEqual(["COMPLETE"]);
  expect(kindsOf(good!)).toEqual(["START", "COMPLETE"]);
  expect(await runEventDelivery(db)).toMatchObject({
    waiting: 0,
    refused: 1,
    lastRefusal: `${receiver.url} answers 422 Unprocessable Entity: bad facet`,
  });
  receiver.answer(() => 201);
  expect(await retryRefused(db)).toBe(1);
  await deliver();
  expect(kindsOf(bad!)).toEqual(["COMPLETE", "START"]);
});

test("an event at which the endpoint fails again and again, while it takes others, does not hold them up for ever", async () => {
  const [poison] = await completedJobs(1);
  receiver.answer((event) => (jobOf(event) === poison ? { status: 500, body: "oops" } : 201));
  for (let i = 0; i < 10; i++) {
    const [other] = await completedJobs(1);
    await deliver();
    await clearPause();
    expect(kindsOf(other!)).toEqual(["START", "COMPLETE"]);
  }
  const delivery = await runEventDelivery(db);
  expect(delivery).toMatchObject({ waiting: 1, refused: 1 });
  expect(delivery.lastRefusal).toContain("500 Internal Server Error: oops (10 times)");
});

test("several workers don't send at the same time, and one that is stopped midway leaves the rest", async () => {
  await completedJobs(40);
  const stopping = new AbortController();
  let seen = 0;
  receiver.answer(() => {
    seen += 1;
    if (seen === 20) stopping.abort(new Error("the worker stops"));
    return seen >= 20 ? "hang" : 201;
  });
  await Promise.all([deliver(endpoint, stopping.signal), deliver(endpoint, stopping.signal), deliver(endpoint, stopping.signal)]);
  const sent = receiver.events.length;
  expect(sent).toBe(19);
  // An answer that came as the worker stopped may have been missed; then the event is sent again.
  const { waiting, failures } = await runEventDelivery(db);
  expect(waiting).toBeGreaterThanOrEqual(80 - sent);
  expect(failures).toBe(0);
  receiver.answer(() => 201);
  await Promise.all([deliver(), deliver(), deliver()]);
  expect(receiver.events.length).toBe(sent + waiting);
  const distinct = new Set(receiver.events.map((event) => `${event.run.runId} ${event.eventType}`));
  expect(distinct.size).toBe(80);
});

test("a file gets whole lines, also after it was renamed, and after a line was cut short", async () => {
  const path = join(folder, "deep", "lineage.jsonl");
  const file: Place = { kind: "file", path };
  const lines = async (name = path) => (await readFile(name, "utf8")).split("\n").slice(0, -1).map(validEvent);
  const [first] = await completedJobs(2);
  await deliver(file);
  expect(await lines()).toHaveLength(4);
  expect(kindsOf(first!, await lines())).toEqual(["START", "COMPLETE"]);
  await rename(path, `${path}.1`);
  const [second] = await completedJobs(1);
  await deliver(file);
  expect(kindsOf(second!, await lines())).toEqual(["START", "COMPLETE"]);
  expect(await lines(`${path}.1`)).toHaveLength(4);
  const { length } = await readFile(path);
  await truncate(path, length - 30);
  const [third] = await completedJobs(1);
  await deliver(file);
  expect((await lines()).map(jobOf)).toEqual([second, third, third]);
});

test("a file that can't be written makes events wait", async () => {
  await completedJobs(1);
  await deliver({ kind: "file", path: join(keyFile, "lineage.jsonl") });
  const delivery = await runEventDelivery(db);
  expect(delivery).toMatchObject({ waiting: 2, failures: 1 });
  expect(delivery.error).toContain("can't be written: E");
});

test("a key that is not there is said, and nothing is sent without it", async () => {
  await completedJobs(1);
  await deliver({ kind: "http", url: receiver.url, apiKey: { environment: "NO_SUCH_KEY_HERE" } });
  expect(receiver.requests).toEqual([]);
  expect((await runEventDelivery(db)).error).toContain("the environment variable NO_SUCH_KEY_HERE is not set");
});

test("what nobody asks for any more is removed on request only", async () => {
  await completedJobs(1);
  expect(await forgetSubscribers(db, 60)).toBe(0);
  await db.query("update cf_run_event_subscriber set seen_at = now() - interval '2 days'");
  expect(await forgetSubscribers(db, 86_400)).toBe(2);
  expect(await runEventDelivery(db)).toMatchObject({ subscribers: [], waiting: 0 });
});
