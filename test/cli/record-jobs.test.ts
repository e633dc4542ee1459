import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../support/command.ts";
import { sha256 } from "../support/sha256.ts";
import { openRecordHome } from "./record-home.ts";

const { db, url, home, casparian, record } = await openRecordHome();

describe("jobs and files", () => {
  let versions: readonly string[];
  let failed: string;
  let completed: string;
  const target = join(home, "output/output/trades.parquet");

  beforeAll(async () => {
    const inbox = await record.source("inbox", join(home, "inbox"));
    const pluginId = await record.plugin("clean", "1");
    versions = [await record.version(inbox, "vendor/trades.csv", "first"), await record.version(inbox, "vendor/trades.csv", "second")];
    await record.version(inbox, "notes.txt", "unrouted");
    completed = await record.job(versions[0]!, pluginId, "clean");
    await record.complete(completed, 1204, target);
    failed = await record.job(versions[1]!, pluginId, "clean");
    await record.fail(failed, "ValueError: bad line\nin two lines");
    await db.query("insert into cf_job_log values ($1, 1, 1, 'stdout', now(), $2), ($1, 1, 2, 'traceback', now(), $3)", [
      failed,
      "reading\n",
      "Traceback…\nValueError: bad line\n",
    ]);
  });

  test("jobs are listed newest first, and found by state, plugin, source and path", async () => {
    const ids = async (...args: readonly string[]) =>
      (await casparian.json<{ id: string }[]>("jobs", "list", ...args)).map((job) => job.id);
    expect(await ids()).toEqual([failed, completed]);
    expect(await ids("--state", "failed")).toEqual([failed]);
    expect(await ids("--state", "failed,completed", "--plugin", "clean", "--source", "inbox")).toEqual([failed, completed]);
    expect(await ids("--path", "*.csv", "--limit", "1")).toEqual([failed]);
    expect(await ids("--path", "other/**")).toEqual([]);
    expect((await casparian("jobs", "list", "--limit", "1")).stderr).toContain("There are more");
    expect((await casparian("jobs", "list", "--state", "faild")).stderr).toContain("Did you mean FAILED?");
  });

  test("a job is shown with its bytes, code, attempts, ledger and error", async () => {
    const { stdout } = await casparian("jobs", "show", completed);
    for (const fact of [sha256("first"), "clean 1", "1,204 rows of output", target, "COMMITTED"]) expect(stdout).toContain(fact);
    const bad = await casparian("jobs", "show", failed);
    expect(bad.stdout).toContain("PLUGIN_RAISED: ValueError: bad line\nin two lines\nLook at its traceback");
    expect(await casparian.json("jobs", "show", completed)).toMatchObject({
      job: { id: completed, state: "COMPLETED", rowsCommitted: 1204 },
      workflowId: `file-version:${versions[0]}`,
      workflowUrl: null,
      attempts: [{ attempt: 1, outcome: "COMMITTED", worker: "test:1", peakMemoryBytes: 50_000_000 }],
      outputs: [{ output: "output", rowsSent: 1204, rowsReadBack: 1204, target }],
    });
    expect(await casparian("jobs", "show", "999")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("there is no job 999") as string,
    });
    expect((await casparian("jobs", "show", "seventeen")).exitCode).toBe(2);
  });

  test("what a plugin wrote is printed by stream and attempt", async () => {
    expect((await casparian("jobs", "logs", failed)).stdout).toBe(
      "stdout    reading\ntraceback Traceback…\ntraceback ValueError: bad line",
    );
    expect((await casparian("jobs", "logs", failed, "--stream", "stdout")).stdout).toBe("reading");
    expect(await casparian.json("jobs", "logs", failed, "--attempt", "1")).toMatchObject([{ stream: "stdout" }, { stream: "traceback" }]);
    expect((await casparian("jobs", "logs", failed, "--attempt", "2")).stderr).toContain("has no attempt 2");
    expect((await casparian("jobs", "logs", failed, "--stream", "stdin")).stderr).toContain("Streams: stdout");
    expect(await casparian("jobs", "logs", completed)).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: `Job ${completed} has written nothing`,
    });
  });

  test("files are listed with what became of them, and those without a rule", async () => {
    expect(await casparian.json("files")).toMatchObject([
      { path: "vendor/trades.csv", versions: 2, jobs: { FAILED: 1 } },
      { path: "notes.txt", versions: 1, jobs: {} },
    ]);
    expect(await casparian.json("files", "--unmatched", "--list")).toHaveLength(2);
    await casparian("rule", "add", "*.csv", "clean");
    expect(await casparian.json("files", "--unmatched", "--list")).toMatchObject([{ path: "notes.txt" }]);
    expect((await casparian("files", "--limit", "1")).stderr).toContain("There are more");
  });

  test("what goes to no plugin is grouped, with the rule to add; a rule is tried out before it is added", async () => {
    const { stdout } = await casparian("files", "--unmatched");
    expect(stdout).toContain("1 of 2 files goes to no plugin (8 B)");
    expect(stdout).toMatch(/^EXTENSION +FILES +SHARE +BYTES +NEWEST\n\.txt +1 +100 % +8 B/m);
    expect(stdout).toContain("casparian rule add '*.txt' PLUGIN --source inbox\n    1 file: no plugin takes *.txt");
    expect(await casparian.json("files", "--by", "folder")).toMatchObject({ files: 1, by: { folder: { groups: [{ name: "inbox/" }] } } });
    expect((await casparian("files", "--by", "colour")).stderr).toContain("Allowed choices are extension, folder, size, age");

    const tried = await casparian("rule", "add", "*.txt", "clean", "--dry-run");
    expect(tried.stdout.split("\n")).toEqual([
      "Would add a rule: *.txt → clean",
      "It takes 1 file on record (8 B): notes.txt",
      "  clean 1 has had 0 of them, and lacks 1",
      "0 would be queued with --backfill; 1 waits to be planned already",
    ]);
    const rules = await casparian.json<unknown[]>("rule", "list");
    expect(rules).toHaveLength(1);
    expect((await casparian("rule", "add", "*.txt", "clean")).stdout).toContain("1 file on record that matches is queued already");
    expect((await casparian("files", "--unmatched")).stdout).toBe("Every one of 2 files goes to a plugin.");
  });

  test("files are tagged by one rule and taken by their tag by another", async () => {
    await casparian("rule", "remove", (await casparian.json<{ ruleId: string }[]>("rule", "list")).at(-1)!.ruleId);
    expect((await casparian("rule", "add", "*.txt", "--tag", "prose")).stdout).toContain(
      "→ tag prose\nNo plugin takes files by the tag prose yet: casparian rule add --tagged prose PLUGIN",
    );
    expect((await casparian("rule", "add", "--tagged", "prose", "clean")).stdout).toMatch(/^Added rule \d+: tagged prose → clean$/m);
    expect(await casparian.json("files", "--tag", "prose")).toMatchObject([{ path: "notes.txt", tags: ["prose"] }]);
    expect((await casparian("files")).stdout).toMatch(/^SOURCE .* TAGS +JOBS$/m);
    const { stdout } = await casparian("rule", "test", "notes.txt", "--source", "inbox");
    expect(stdout).toMatch(
      /^notes\.txt of source inbox goes to clean 1 \(rule \d+\)\.\nTags: prose\.\nOn record: version 1 .*; no job, and it waits to be planned\.$/m,
    );
    expect((await casparian("rule", "list")).stdout).toMatch(/^ *ID +PATTERN +TAGGED +PLUGIN .* TAG$/m);
  });

  test("the backlog is told and queued, by a verb of its own", async () => {
    await db.query("delete from cf_outbox");
    expect((await casparian("backfill", "clean", "--dry-run")).stdout.split("\n").at(-1)).toBe("1 would be queued");
    expect((await casparian("backfill", "clean")).stdout).toBe(
      "Queued 1 file version\nThe next casparian start or scan --wait processes them",
    );
    expect(await casparian.json("backfill")).toMatchObject({ dryRun: false, files: 2, missing: 1, waiting: 1, queued: 0 });
    expect(await casparian("backfill", "--rule", "999")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("casparian rule list") as string,
    });
  });

  test("a failed job is queued again, and a result stands", async () => {
    const refused = await casparian("jobs", "retry", completed);
    expect(refused).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("it is COMPLETED: its result stands") as string });
    const retried = await casparian("jobs", "retry", "--failed", "--plugin", "clean");
    expect(retried.stdout).toBe("Queued 1 job; nothing runs here now, so the next casparian start or scan --wait runs them");
    expect(await casparian.json("jobs", "show", failed)).toMatchObject({ job: { state: "QUEUED", errorCode: null } });
    const { rows } = await db.query("select reason from cf_outbox where file_version_id = $1", [versions[1]]);
    expect(rows).toEqual([{ reason: "RETRY" }]);
    expect((await casparian("jobs", "retry", failed)).stdout).toContain("it is QUEUED");
    expect((await casparian("jobs", "retry", "--failed")).stdout).toBe("No failed job.");
  });

  test("a queued job is cancelled in the record while nothing runs", async () => {
    expect((await casparian("jobs", "cancel", failed)).stdout).toBe(`Job ${failed} is cancelled`);
    expect((await casparian("jobs", "cancel", failed)).stdout).toBe(`Job ${failed} has ended: CANCELLED`);
    const other = await runCommand(["--home", home, "--database", url, "jobs", "list", "--state", "cancelled"]);
    expect(other.stdout).toContain("CANCELLED");
  });

  test("a running job can't be cancelled without the one who runs it", async () => {
    await casparian("jobs", "retry", failed);
    await db.query("update cf_processing_job set state = 'RUNNING', attempt = attempt + 1 where id = $1", [failed]);
    expect(await casparian("jobs", "cancel", failed)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("casparian start") as string,
    });
  });
});

test("what was changed is in the audit trail, with who and what", async () => {
  const trail = await casparian.json<{ actor: string; action: string; subject: string }[]>(
    "sql",
    "select actor, action, subject from cf_audit order by id",
  );
  expect(trail.every(({ actor }) => /^\S+@\S+$/.test(actor))).toBe(true);
  expect(trail.map(({ action }) => action)).toEqual(expect.arrayContaining(["rule.add", "rule.remove", "job.retry", "job.cancel"]));
});

test("status has the addresses, the counts and who runs", async () => {
  expect(await casparian.json("status")).toMatchObject({
    home,
    running: null,
    database: { kind: "external", url, readerUrl: url },
    temporal: { kind: "embedded", address: null, namespace: null, uiUrl: null },
    jobs: { COMPLETED: 1, RUNNING: 1, FAILED: 0 },
    sources: [{ name: "inbox", filesPresent: 2, lastScan: null }],
    plugins: 1,
  });
  const { stdout } = await casparian("status");
  expect(stdout).toContain("1 RUNNING, 1 COMPLETED");
  expect(stdout).not.toContain(new URL(url).password);
});

test("the doctor says what is wrong as text and as one document, and exits with 1", async () => {
  const text = await casparian("doctor");
  expect(text.exitCode).toBe(1);
  expect(text.stdout).toMatch(/^error +jobs +0 jobs are queued, 1 were begun .* and no worker runs\n +→ casparian start$/m);
  const document = await casparian("doctor", "--json");
  expect(document).toMatchObject({ exitCode: 1, stderr: "" });
  expect(JSON.parse(document.stdout)).toMatchObject({
    healthy: false,
    diagnoses: expect.arrayContaining([
      expect.objectContaining({ subject: "jobs", severity: "error", hint: "casparian start" }),
    ]) as unknown,
  });
});
