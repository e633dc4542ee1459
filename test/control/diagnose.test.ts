import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { addRule } from "../../control/add-rule.ts";
import { changeSource } from "../../control/change-source.ts";
import { diagnose, type Diagnosis } from "../../control/diagnose.ts";
import { explainRouting, surveyRouting } from "../../control/survey-routing.ts";
import { recordFailure, recordRefused, recordSent, subscribe } from "../../db/run-event-delivery.ts";
import { waitingRunEvents } from "../../db/run-event.ts";
import { upsertTopic } from "../../db/topic.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-doctor-"));
const record = fillRecord(db);
const context = { db, actor: "ann@desk", temporal: null };
const code = "class Handler:\n    def execute(self, file_path):\n        return None\n";
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

async function examine(fix = false): Promise<readonly Diagnosis[]> {
  const { uv, temporal, python } = testTools();
  const host = { tools: { uv, temporal }, python: { path: python, version: "3" }, needsTemporalTool: true };
  return diagnose(context, { home, stateDir: join(home, ".casparian"), host, fix });
}

/** What is wrong with a subject, with the next step. */
async function troubles(subject: string): Promise<readonly string[]> {
  return (await examine())
    .filter((found) => found.subject === subject && (found.severity === "error" || found.severity === "warning"))
    .map(({ severity, message, hint }) => `${severity}: ${message} → ${hint}`);
}

// One story: each test mends what the one before found.

test("nothing is there: no source, no plugin", async () => {
  expect(await troubles("sources")).toEqual([
    "error: there is no source, so no file is ever found → Add a folder: casparian source add NAME PATH",
  ]);
  expect(await troubles("plugins")).toEqual(["error: no plugin is active, so no file can be processed → casparian plugin publish FILE"]);
  expect(await troubles("topics")).toEqual([]);
  expect(explainRouting(await surveyRouting(context))).toMatchObject({ hint: "casparian plugin publish FILE" });
});

test("a source whose folder is not there, and one that was never scanned", async () => {
  await record.source("lost", join(home, "lost"));
  await mkdir(join(home, "inbox"));
  const inbox = await record.source("inbox", join(home, "inbox"));
  const found = await troubles("sources");
  expect(found).toHaveLength(2);
  expect(found.join("\n")).toContain("error: the folder of lost can't be read: ENOENT");
  expect(found.join("\n")).toContain("warning: inbox was never scanned → casparian scan inbox --wait, or casparian start");
  await changeSource(context, "lost", "remove");
  await db.query("insert into cf_scan (source_id, state, finished_at, message) values ($1, 'FAILED', now(), 'disk on fire')", [inbox.id]);
  expect(await troubles("sources")).toEqual(["error: the last scan of inbox failed: disk on fire → casparian scan inbox"]);
  await db.query("insert into cf_scan (source_id, state, finished_at) values ($1, 'COMPLETED', now())", [inbox.id]);
  await db.query(
    "insert into cf_scan_finding (source_id, rel_path, kind, message) values ($1, 'a/locked', 'UNREADABLE', 'permission denied')",
    [inbox.id],
  );
  await db.query("insert into cf_scan_finding (source_id, rel_path, kind, message) values ($1, '', 'TOO_LARGE', '2 files are left out')", [
    inbox.id,
  ]);
  await record.version(inbox, "a.csv", "1");
  await record.version(inbox, "b.tsv", "2");
  expect(await troubles("sources")).toEqual(["warning: inbox/a/locked: permission denied → null"]);
  expect(await examine()).toContainEqual({ subject: "sources", severity: "info", message: "inbox: 2 files are left out", hint: null });
});

test("a plugin and no rule, then a rule that takes only some files", async () => {
  await record.plugin("clean", "1", { code });
  expect(await troubles("plugins")).toEqual([]);
  expect((await troubles("rules"))[0]).toBe(
    "error: there is no enabled rule, so no file goes to a plugin → casparian rule add '*.csv' clean",
  );
  expect(explainRouting(await surveyRouting(context))).toEqual({
    message: "no rule sends 2 of 2 files to a plugin (.csv: 1, .tsv: 1)",
    hint: "casparian rule add '*.csv' clean",
  });
  await addRule(context, { pattern: "*.csv", plugin: "clean", backfill: false });
  await addRule(context, { pattern: "*.CSV", plugin: "clean", backfill: false });
  expect(await troubles("rules")).toEqual([
    "warning: rule 2 (*.CSV → clean) takes none of 2 files → casparian rule test PATH says why for one file",
    "warning: no rule sends 1 of 2 files to a plugin (.tsv: 1) → casparian rule add '*.tsv' clean; casparian files --unmatched lists them",
  ]);
});

test("a plugin that can't run: its Handler, and what it imports", async () => {
  await record.plugin("clean", "2", { code: "import sklearn\n" + code });
  expect((await troubles("plugins"))[0]).toContain("warning: clean 2: the plugin imports sklearn");
  await record.plugin("clean", "3", { code: "handler = 1\n" });
  expect((await troubles("plugins"))[0]).toMatch(/^error: clean 3: clean\.py has no class named Handler/);
  await record.plugin("clean", "4", { code });
});

test("a sink that nobody knows, and one that can't be written", async () => {
  await upsertTopic(db, "clean", "output", { uri: "parqet://output", mode: "append" });
  expect((await troubles("topics"))[0]).toContain("error: clean/output: no sink is known for parqet://");
  await writeFile(join(home, "taken"), "a file");
  await upsertTopic(db, "clean", "output", { uri: "parquet://taken/output", mode: "append" });
  expect((await troubles("topics"))[0]).toContain(`error: clean/output: ${join(home, "taken/output")} can't be written: ENOTDIR`);
  await upsertTopic(db, "clean", "output", { uri: "parquet://fine", mode: "append" });
  expect(await troubles("topics")).toEqual([]);
});

test("work that waits for a worker, failures, and an idle worker", async () => {
  expect((await troubles("jobs"))[0]).toBe(
    "error: 0 jobs are queued, 0 were begun and 2 file versions wait for their plan, and no worker runs → casparian start",
  );
  const { rows } = await db.query<{ id: string; plugin: string }>(
    "select v.id, (select id from cf_plugin_manifest where state = 'ACTIVE') as plugin from cf_file_version v order by v.id",
  );
  const jobId = await record.job(rows[0]!.id, rows[0]!.plugin, "clean");
  await db.query("delete from cf_outbox");
  await record.fail(jobId, "line 7");
  expect(await troubles("jobs")).toEqual([
    `warning: 1 failed of clean; the newest is job ${jobId}: PLUGIN_RAISED: line 7 → casparian jobs show ${jobId}, then casparian jobs retry --failed --plugin clean`,
  ]);
  await db.query("update cf_processing_job set state = 'QUEUED' where id = $1", [jobId]);
  await record.complete(jobId, 1, "/out");
  const jobs = (await examine()).filter((found) => found.subject === "jobs");
  expect(jobs).toEqual([
    {
      subject: "jobs",
      severity: "ok",
      message: "nothing is queued and no worker runs: every file that a rule takes has been processed",
      hint: null,
    },
  ]);
});

test("tools and the sandbox are looked at", async () => {
  const found = await examine();
  expect(found.find(({ subject }) => subject === "tools")).toMatchObject({
    severity: "ok",
    message: expect.stringContaining(testTools().uv) as string,
  });
  expect(found.some(({ subject }) => subject === "sandbox")).toBe(true);
  const without = await diagnose(context, {
    home,
    stateDir: join(home, ".casparian"),
    host: { tools: { uv: null, temporal: null }, python: { trouble: "no python3" }, needsTemporalTool: false },
  });
  expect(without.filter(({ subject }) => subject === "tools").map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
    "error: no python3",
    "info: uv is not here yet; it is installed when it is needed first",
  ]);
});

test("OpenLineage events: nothing is said where nobody asks for them, and what keeps them from arriving otherwise", async () => {
  expect((await examine()).filter(({ subject }) => subject === "events")).toEqual([]);
  await subscribe(db, "host:/home", "https://l.example/api/v1/lineage");
  expect((await examine()).find(({ subject }) => subject === "events")).toMatchObject({ severity: "ok" });
  const { rows } = await db.query<{ plugin: string }>("select plugin_id as plugin from cf_processing_job");
  const jobId = await record.job(
    await record.version(await record.source("inbox", join(home, "inbox")), "z.csv", "z"),
    rows[0]!.plugin,
    "clean",
  );
  await record.fail(jobId, "line 8");
  await recordFailure(db, "https://l.example/api/v1/lineage answers 503", () => 60);
  expect((await troubles("events"))[0]).toMatch(
    /^error: https:\/\/l\.example\/api\/v1\/lineage answers 503; failed tries: 1, since \S+; OpenLineage events that wait: 2, the oldest since \S+ → Nothing is lost/,
  );
  const [start, fail] = await waitingRunEvents(db, 10);
  await recordSent(db, [start!.id]);
  await recordRefused(db, fail!.id, "https://l.example/api/v1/lineage answers 422: bad");
  expect(await troubles("events")).toEqual([
    "warning: OpenLineage events that were refused and are set aside: 1; the last one: https://l.example/api/v1/lineage answers 422: bad → " +
      "Once the endpoint takes such events: casparian doctor --fix, which has them sent again",
  ]);
  expect(await examine(true)).toContainEqual(expect.objectContaining({ subject: "events", severity: "info" }));
  await db.query("update cf_run_event_subscriber set seen_at = now() - interval '1 hour'");
  expect((await troubles("events"))[0]).toMatch(
    /^warning: OpenLineage events that wait: 1, .*no worker runs that sends them → They were asked for by host:\/home/,
  );
});
