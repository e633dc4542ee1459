import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { addSource } from "../../control/add-source.ts";
import { changeSource } from "../../control/change-source.ts";
import { diagnose } from "../../control/diagnose.ts";
import { withOutlook } from "../../control/schedules/next-scans.ts";
import { surveySchedules } from "../../control/schedules/survey.ts";
import { listSources, type SourceSettings } from "../../db/source-root.ts";
import { parseCron } from "../../domain/cron.ts";
import { followSchedules } from "../../workers/schedules.ts";
import { testDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { patience } from "../support/patience.ts";

const { db, close } = await testDatabase();
const folder = await mkdtemp(join(tmpdir(), "casparian-schedules-"));
let temporal: TestTemporal;
beforeAll(async () => void (temporal = await testTemporal()));
afterAll(async () => {
  await temporal.close();
  await close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const source of await listSources(db)) await changeSource(ann(), source.name, "remove");
  await mend();
});

const ann = () => ({ db, actor: "ann@desk", temporal: temporal.client });
const survey = () => surveySchedules({ db, temporal: temporal.client });
const handleOf = (source: string) => temporal.client.schedule.getHandle(`scan:${source}`);

async function set(name: string, settings: Partial<SourceSettings> = {}): Promise<void> {
  await addSource(ann(), { name, path: folder, settings, ownFolders: [] });
}

async function mend(): Promise<readonly string[]> {
  const { troubles } = await survey();
  for (const trouble of troubles) await trouble.mend?.();
  return troubles.map(({ message }) => message);
}

/** Temporal's list of schedules lags behind what it knows of each. */
async function listed(): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of temporal.client.schedule.list()) ids.push(scheduleId);
  return ids.toSorted();
}

describe("a source has the schedule that its settings ask for", () => {
  test("by interval, with policies that fit, found by its source and readable", async () => {
    await set("inbox", { everyMs: 60_000, jitterMs: 5_000, workerGroup: "nas" });
    expect(await mend()).toEqual(["source inbox has no schedule"]);
    expect(await handleOf("inbox").describe()).toMatchObject({
      spec: { intervals: [{ every: 60_000 }], jitter: 5_000 },
      policies: { overlap: "SKIP", catchupWindow: 60_000, pauseOnFailure: false },
      action: {
        workflowType: "requestScan",
        workflowId: "request-scan:inbox",
        taskQueue: "casparian:nas",
        args: ["inbox"],
        staticSummary: "scheduled scan of inbox",
        searchAttributes: { CasparianSource: ["inbox"] },
      },
      searchAttributes: { CasparianSource: ["inbox"] },
      state: { paused: false, note: "made from the settings of source inbox: casparian source set inbox" },
    });
    expect((await survey()).troubles).toEqual([]);
  });

  test("changes with them: times, queue, pause with who did it, removal", async () => {
    await set("inbox");
    await mend();
    await set("inbox", { everyMs: null, cron: "CRON_TZ=Europe/Berlin 30 6 * * 1-5", workerGroup: "nas" });
    expect(await mend()).toEqual(["the schedule of source inbox differs: times, task queue"]);
    const { spec, action } = await handleOf("inbox").describe();
    expect(spec).toMatchObject({
      timezone: "Europe/Berlin",
      intervals: [],
      calendars: [{ comment: "CRON_TZ=Europe/Berlin 30 6 * * 1-5" }],
    });
    expect(action.taskQueue).toBe("casparian:nas");

    await changeSource(ann(), "inbox", "pause");
    expect(await mend()).toEqual(["the schedule of source inbox differs: is not paused, note"]);
    expect((await handleOf("inbox").describe()).state).toMatchObject({
      paused: true,
      note: "paused by ann@desk: casparian source resume inbox",
    });
    await changeSource(ann(), "inbox", "resume");
    await mend();
    expect((await handleOf("inbox").describe()).state.paused).toBe(false);

    await changeSource(ann(), "inbox", "remove");
    await vi.waitFor(async () => expect(await listed()).toEqual(["scan:inbox"]), patience);
    expect(await mend()).toEqual(["the schedule scan:inbox belongs to no source that is scanned at times"]);
    await expect(handleOf("inbox").describe()).rejects.toThrow(/not found/i);
  });

  test("and none where it is scanned on request only", async () => {
    await set("inbox", { everyMs: null, cron: null });
    expect(await survey()).toMatchObject({ wished: 0, troubles: [] });
  });

  test("whatever a person did to it in Temporal", async () => {
    await set("inbox");
    await mend();
    await handleOf("inbox").pause("by hand");
    expect(await mend()).toEqual(["the schedule of source inbox differs: is paused, note"]);
    await handleOf("inbox").update((found) => ({ ...found, spec: { intervals: [{ every: 1_000 }] } }));
    expect(await mend()).toEqual(["the schedule of source inbox differs: times"]);
    await handleOf("inbox").delete();
    expect(await mend()).toEqual(["source inbox has no schedule"]);
    expect(await mend()).toEqual([]);
  });

  test("and others' schedules are left alone", async () => {
    const action = { type: "startWorkflow", workflowType: "theirs", taskQueue: "theirs" } as const;
    const theirs = await temporal.client.schedule.create({ scheduleId: "scan:theirs", spec: { intervals: [{ every: "1 day" }] }, action });
    await vi.waitFor(async () => expect(await listed()).toEqual(["scan:theirs"]), patience);
    expect(await mend()).toEqual([]);
    await theirs.delete();
    await vi.waitFor(async () => expect(await listed()).toEqual([]), patience);
  });
});

describe("cron expressions mean what Temporal takes them for", () => {
  const expressions = [
    ..."0 6 * * 1-5|*/15 8-18/2 1,15 jan-mar MON,7|0 0 * * 7|0 0 * * 5-7|0 0 * * 0-7|5 4 * * * 2027|30 0 12 * * 3 *|@daily".split("|"),
    ..."@weekly|@yearly|@monthly|@hourly|@every 90s/7s|@every 1h30m|@every 2d|CRON_TZ=Europe/Berlin 0 6 * * *|TZ=UTC @daily".split("|"),
    ..."5/20 * * * *|0 0 * * sunday|0 0 * january *|0,0,5 1 * * *|1-5,3-9 * * * *|*/90 * * * *|0 0 * * mon/2|1-10/3 * * * *".split("|"),
    // Longer than a comment may be in Temporal.
    `${"0,30,".repeat(50)}15 6 * * *`,
  ];

  test.each(expressions)("%s", async (cron) => {
    await set("inbox", { everyMs: null, cron });
    // Again, should one of the times come between the two looks.
    await vi.waitFor(async () => {
      await mend();
      const ours = await handleOf("inbox").describe();
      // The same as Temporal reads it from the text.
      await handleOf("inbox").update((found) => ({ ...found, spec: { cronExpressions: [cron] } }));
      const theirs = await handleOf("inbox").describe();
      // Temporal reads a comment from behind a #, and ours is the expression itself.
      expect(await mend()).toEqual(ours.spec.calendars?.length ? ["the schedule of source inbox differs: times"] : []);
      expect(theirs.info.nextActionTimes).toEqual(ours.info.nextActionTimes);
      expect(theirs.info.nextActionTimes.length).toBeGreaterThan(0);
    }, patience);
  });

  test("what is refused here is refused there", async () => {
    const wrong = ["60 * * * *", "* * * *", "0 0 10-5 * *", "0 0 L * *", "*/0 * * * *", "@reboot", "0 0 * * 8", "TZ=Mars/Base 0 6 * * *"];
    for (const cron of wrong) {
      expect(() => parseCron(cron), cron).toThrow();
      const action = { type: "startWorkflow", workflowType: "any", taskQueue: "any" } as const;
      const created = temporal.client.schedule.create({ scheduleId: "wrong", spec: { cronExpressions: [cron] }, action });
      await expect(created, cron).rejects.toThrow();
    }
    await expect(set("inbox", { everyMs: null, cron: "60 * * * *" })).rejects.toThrow(/"60 \* \* \* \*" is not a cron expression/);
    expect(await listSources(db)).toEqual([]);
  });
});

describe("what Temporal refuses all the same", () => {
  test("is told once, does not hold up the others, and is shown by doctor", async () => {
    await set("broken");
    await set("inbox");
    await db.query("update cf_source_root set every_ms = null, cron = 'nonsense' where name = 'broken'");
    const told: string[] = [];
    const log = { ...quietLog, warn: (message: string) => void told.push(message) };
    const following = followSchedules({ db, client: temporal.client, log });
    await vi.waitFor(async () => expect((await handleOf("inbox").describe()).state.paused).toBe(false), patience);
    await set("second");
    await vi.waitFor(async () => expect((await handleOf("second").describe()).state.paused).toBe(false), patience);
    await following.stop();
    expect(told).toEqual([expect.stringContaining(`source broken can't have a schedule: "nonsense" is not a cron expression`)]);
    expect((await examine()).map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      expect.stringContaining("error: source broken can't have a schedule"),
    ]);
  });
});

describe("a schedule that only Temporal refuses", () => {
  const refusal = expect.stringContaining("Temporal refuses the schedule of source broken: interval is not a valid duration") as string;

  beforeEach(async () => {
    // Some 27,000 years.
    await set("broken", { everyMs: null, cron: "@every 9999999d" });
    await set("inbox");
  });

  test("is told once by a running system, which makes the others", async () => {
    const told: string[] = [];
    const following = followSchedules({ db, client: temporal.client, log: { ...quietLog, warn: (message) => void told.push(message) } });
    await vi.waitFor(async () => expect((await handleOf("inbox").describe()).state.paused).toBe(false), patience);
    await set("second");
    await vi.waitFor(async () => expect((await handleOf("second").describe()).state.paused).toBe(false), patience);
    await following.stop();
    expect(told).toEqual([refusal]);
  });

  test("is told by doctor --fix beside what was mended", async () => {
    expect(await examine(true)).toMatchObject([
      { severity: "error", message: refusal, hint: "casparian source set broken --every 5m" },
      { severity: "info", message: "mended: source inbox has no schedule" },
    ]);
  });
});

async function examine(fix = false) {
  const host = { tools: { uv: null, temporal: null }, python: { trouble: "not looked for" }, needsTemporalTool: false };
  return (await diagnose(ann(), { stateDir: `${folder}/.casparian`, home: folder, host, fix })).filter(
    ({ subject }) => subject === "schedules",
  );
}

test("a running system follows the record within seconds, several at once without harm", async () => {
  await set("inbox");
  const systems = [1, 2].map(() => followSchedules({ db, client: temporal.client, log: quietLog }));
  const stateOf = async (name: string) => (await handleOf(name).describe()).state.paused;
  await vi.waitFor(async () => expect(await stateOf("inbox")).toBe(false), patience);
  await set("late");
  await changeSource(ann(), "inbox", "pause");
  await vi.waitFor(async () => expect([await stateOf("late"), await stateOf("inbox")]).toEqual([false, true]), patience);
  await changeSource(ann(), "late", "remove");
  await vi.waitFor(
    async () =>
      expect(
        await handleOf("late")
          .describe()
          .catch(() => "gone"),
      ).toBe("gone"),
    patience,
  );
  await Promise.all(systems.map((system) => system.stop()));
});

describe("doctor", () => {
  test("tells a missing, a differing and an orphaned schedule, and mends them when told to", async () => {
    for (const name of ["missing", "differing", "orphaned"]) await set(name);
    await mend();
    await vi.waitFor(async () => expect(await listed()).toContain("scan:orphaned"), patience);
    await handleOf("missing").delete();
    await handleOf("differing").pause();
    await changeSource(ann(), "orphaned", "remove");
    const messages = [
      "the schedule scan:orphaned belongs to no source that is scanned at times",
      "the schedule of source differing differs: is paused, note",
      "source missing has no schedule",
    ];
    expect((await examine()).map(({ severity, message }) => [severity, message])).toEqual(messages.map((message) => ["warning", message]));
    expect((await examine(true)).map(({ severity, message }) => [severity, message])).toEqual(
      messages.map((message) => ["info", `mended: ${message}`]),
    );
    await vi.waitFor(async () => {
      expect(await examine()).toMatchObject([{ severity: "ok", message: "2 as their sources ask for" }]);
    }, patience);
  });

  test("tells a source whose group has no worker", async () => {
    await set("inbox", { workerGroup: "nas" });
    await mend();
    expect(await examine()).toMatchObject([
      {
        severity: "error",
        message: "inbox is not scanned, nor are its files processed: no worker runs for group nas",
        hint: `Where ${folder} can be reached: casparian worker --group nas`,
      },
    ]);
  });
});

test("the next scan is known where Temporal is, and the setting elsewhere", async () => {
  await set("inbox", { everyMs: 3_600_000 });
  await set("quiet", { everyMs: 3_600_000 });
  await changeSource(ann(), "quiet", "pause");
  await mend();
  const [inbox, quiet] = await withOutlook(await listSources(db), temporal.client);
  const inMs = new Date(inbox!.nextScanAt!).getTime() - Date.now();
  expect(inMs).toBeGreaterThan(-1_000);
  expect(inMs).toBeLessThanOrEqual(3_600_000);
  expect(quiet).toMatchObject({ nextScanAt: null, workers: 0 });
  expect(await withOutlook(await listSources(db), null)).toMatchObject([{ nextScanAt: null, workers: null }, { nextScanAt: null }]);
});
