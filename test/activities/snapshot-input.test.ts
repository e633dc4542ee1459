import { chmodSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retryJobs } from "../../control/retry-jobs.ts";
import { hashTasks } from "../../scout/hash.ts";
import { readStat } from "../../scout/stat.ts";
import { createCopies } from "../../snapshots/copies.ts";
import { snapshotPath } from "../../snapshots/store.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { csv, tablePlugin } from "../support/samples.ts";
import { sha256 } from "../support/sha256.ts";

/** Tells where it reads from, and tries to write there. */
const curiousPlugin = `import os

MANIFEST = {"pattern": "*.tell", "topic": "told"}

class Handler:
    def execute(self, file_path):
        text = open(file_path).read()
        try:
            os.chmod(file_path, 0o666)
            open(file_path, "a").write("tampered")
            wrote = "yes"
        except OSError:
            wrote = "no"
        print(f"path={file_path} link={os.path.islink(file_path)} wrote={wrote} text={text}")
        yield [{"n": 1}]
`;

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
  await fixture.publish("quick", tablePlugin, "*.csv");
  await fixture.publish("curious", curiousPlugin, "*.tell");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);
const place = (name: string) => join(fixture.folder, "in", name);
const copyOf = (content: string) => snapshotPath(fixture.store.folder, sha256(content));

/** Records a file, with a copy of its content as a scan makes it. */
async function plan(name: string, content: string): Promise<string> {
  const fileVersionId = await fixture.record(name, content);
  const tasks = [{ path: place(name), stat: (await readStat(place(name)))! }];
  // Its result is of no interest; the copy is made on the way.
  for (const bytes of hashTasks(tasks, createCopies(fixture.store.folder))) expect(bytes).toBe(content.length);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
  return jobs[0]!.jobId;
}

async function run(jobId: string): Promise<void> {
  const outcome = await act(fixture.activities.runPlugin, { jobId, quick: false });
  expect(outcome).toMatchObject({ outcome: "STAGED" });
  if (outcome.outcome === "STAGED") await act(fixture.activities.commitJob, { jobId, attempt: outcome.attempt });
}

const rowsOf = async (jobId: string) =>
  (await readResults(fixture.output)).filter(({ jobIds }) => jobIds.includes(jobId)).map(({ rows }) => rows);

async function logOf(jobId: string): Promise<string> {
  const { rows } = await fixture.database.db.query<{ text: string }>(
    "select text from cf_job_log where job_id = $1 and stream = 'stdout'",
    [jobId],
  );
  return rows.map(({ text }) => text).join("");
}

test("a version whose file was overwritten before its job ran gives its own rows, and so does one whose file has gone", async () => {
  const overwritten = await plan("overwritten.csv", csv(5));
  const gone = await plan("gone.csv", csv(6));
  writeFileSync(place("overwritten.csv"), csv(50));
  unlinkSync(place("gone.csv"));
  await run(overwritten);
  await run(gone);
  expect(await rowsOf(overwritten)).toEqual([5]);
  expect(await rowsOf(gone)).toEqual([6]);
});

test("the plugin sees the file's own name and folders, and can't change the copy", async () => {
  const jobId = await plan("2026-11-22.tell", "told");
  await run(jobId);
  const log = await logOf(jobId);
  expect(log).toMatch(/path=\S+\/in\/2026-11-22\.tell link=False wrote=no text=told/);
  expect(log).not.toContain(basename(copyOf("told")));
  expect(readFileSync(copyOf("told"), "utf8")).toBe("told");
  expect(statSync(copyOf("told")).mode & 0o777).toBe(0o400);
});

test("nothing of what a plugin was shown stays", async () => {
  const views = join(fixture.store.folder, "views");
  const [own] = await readdir(views);
  expect(await readdir(join(views, own!))).toEqual([]);
});

test("two jobs that read one copy at the same time don't disturb each other", async () => {
  const jobs = [await plan("twin-1.csv", csv(9)), await plan("twin-2.csv", csv(9))];
  await Promise.all(jobs.map(run));
  for (const jobId of jobs) expect(await rowsOf(jobId)).toEqual([9]);
});

test("a damaged copy is never given to a plugin", async () => {
  const jobId = await plan("damaged.csv", csv(7));
  chmodSync(copyOf(csv(7)), 0o600);
  writeFileSync(copyOf(csv(7)), csv(7).replace("name 3", "name X"));
  await expect(act(fixture.activities.runPlugin, { jobId, quick: false })).rejects.toMatchObject({
    type: "SNAPSHOT_CORRUPT",
    nonRetryable: true,
    message: expect.stringContaining(sha256(csv(7))) as string,
    details: [{ hint: expect.stringContaining("casparian snapshots --repair") as string }],
  });
  expect(await rowsOf(jobId)).toEqual([]);
});

test("where there is no copy, the file is read as long as it is the version; a job that was superseded is retried when there is one", async () => {
  const jobId = await plan("later.csv", csv(8));
  const kept = readFileSync(copyOf(csv(8)));
  rmSync(copyOf(csv(8)));
  writeFileSync(place("later.csv"), csv(80));
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "SUPERSEDED" });

  writeFileSync(copyOf(csv(8)), kept, { mode: 0o400 });
  const [retried] = await retryJobs({ db: fixture.database.db, actor: "test", temporal: null }, { ids: [jobId] });
  expect(retried).toMatchObject({ outcome: "queued" });
  await run(jobId);
  expect(await rowsOf(jobId)).toEqual([8]);
});
