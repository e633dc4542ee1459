import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import "../support/quiet-temporal.ts";
import { findSource } from "../../db/source-root.ts";
import { scanSource } from "../../scout/scan.ts";
import { createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { snapshotPath } from "../../snapshots/store.ts";
import { tarGzOf, zipFiles } from "../support/archives.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { quietLog } from "../support/quiet-log.ts";
import { sha256 } from "../support/sha256.ts";
import { csv } from "../support/samples.ts";

/** Says which file it was given and what is beside it. */
const tellingPlugin = `import os
import pyarrow.csv

class Handler:
    def execute(self, file_path):
        print("name", os.path.basename(file_path))
        try:
            print("beside", len(os.listdir(os.path.dirname(file_path))))
        except OSError as error:
            print("beside", type(error).__name__)
        yield pyarrow.csv.read_csv(file_path)
`;
import { patience } from "../support/patience.ts";

// On a busy machine the first run takes most of a minute: its environment is loaded for the first time.
vi.setConfig({ testTimeout: 180_000 });

let fixture: JobFixture;
let threads: ScoutThreads;
beforeAll(async () => {
  fixture = await createJobFixture();
  threads = createScoutThreads(1);
  await fixture.publish("telling", tellingPlugin, "*.csv");
  await fixture.database.db.query("update cf_source_root set archives = true, settle_ms = 0");
});
afterAll(async () => {
  await threads?.close();
  await fixture?.[Symbol.asyncDispose]();
});

function act<A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> {
  return new MockActivityEnvironment().run(activity, input);
}

const drop = (name: string, content: Uint8Array) => writeFile(join(fixture.folder, "in", name), content);

async function scan({ snapshots = false } = {}): Promise<void> {
  const { db } = fixture.database;
  const source = { ...(await findSource(db, "in"))!, snapshots };
  await scanSource({ db, source, paths: null, threads, store: fixture.store, log: quietLog, signal: new AbortController().signal });
}

/** Where the copy of a file is that is still at its place. */
const copyOf = async (name: string) => snapshotPath(fixture.store.folder, sha256(await readFile(join(fixture.folder, "in", name))));

/** Plans the newest version at this path and returns its one job. */
async function plan(relPath: string): Promise<string> {
  const { rows } = await fixture.database.db.query<{ id: string }>(
    `select v.id from cf_file_version v join cf_file_location l on l.id = v.location_id where l.rel_path = $1 order by sequence desc limit 1`,
    [relPath],
  );
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId: rows[0]!.id });
  expect(jobs).toHaveLength(1);
  return jobs[0]!.jobId;
}

const run = (jobId: string) => act(fixture.activities.runPlugin, { jobId, quick: false });

async function printed(jobId: string): Promise<string> {
  const { rows } = await fixture.database.db.query<{ text: string }>(
    "select string_agg(text, '' order by attempt, sequence) as text from cf_job_log where job_id = $1 and stream = 'stdout'",
    [jobId],
  );
  return rows[0]!.text;
}

const copies = () => readdir(join(fixture.folder, "scratch", "members"));

test("a plugin gets a member's bytes as a plain file of the member's name, and of nothing else; then the copy is gone", async () => {
  await drop("drop.zip", zipFiles({ "sub/first.csv": csv(30), "second.csv": csv(5) }));
  await drop("more.tar.gz", await tarGzOf([{ name: "third.csv", content: csv(7) }]));
  await scan();
  for (const [path, rows] of [
    ["drop.zip!/sub/first.csv", 30],
    ["drop.zip!/second.csv", 5],
    ["more.tar.gz!/third.csv", 7],
  ] as const) {
    const jobId = await plan(path);
    expect(await run(jobId)).toEqual({ outcome: "STAGED", attempt: 1 });
    await act(fixture.activities.commitJob, { jobId, attempt: 1 });
    expect((await readResults(fixture.output)).filter((result) => result.jobIds.includes(jobId)).map((result) => result.rows)).toEqual([
      rows,
    ]);
    expect(await printed(jobId)).toBe(`name ${path.slice(path.lastIndexOf("/") + 1)}\nbeside PermissionError\n`);
    expect(await copies()).toEqual([]);
  }
});

test("a newer version of the archive that holds the member unchanged is as good as the older one", async () => {
  await drop("new.zip", zipFiles({ "same.csv": csv(3) }));
  await scan();
  const jobId = await plan("new.zip!/same.csv");
  await drop("new.zip", zipFiles({ "other.csv": csv(4), "same.csv": csv(3) }));
  expect(await run(jobId)).toMatchObject({ outcome: "STAGED" });
});

test.each<[string, (archive: string) => Promise<void>, string]>([
  [
    "has other bytes",
    (archive) => drop(archive, zipFiles({ "a.csv": csv(3).replaceAll("name", "game") })),
    "no longer what version 1 recorded",
  ],
  ["is longer", (archive) => drop(archive, zipFiles({ "a.csv": csv(300) })), "no longer holds version 1 of a.csv"],
  ["is no longer in it", (archive) => drop(archive, zipFiles({ "b.csv": csv(3) })), "no longer holds a.csv"],
  ["can't be found in it", (archive) => drop(archive, Buffer.from("broken")), "no longer holds version 1 of a.csv: it is corrupt"],
  ["has gone with it", (archive) => rm(join(fixture.folder, "in", archive)), "is no longer there"],
])("a job whose member %s is superseded, and a scan of the archive is asked for", async (how, change, reason) => {
  const archive = `${how}.zip`;
  await drop(archive, zipFiles({ "a.csv": csv(3) }));
  await scan();
  const jobId = await plan(`${archive}!/a.csv`);
  await change(archive);
  fixture.scansRequested.length = 0;
  expect(await run(jobId)).toEqual({ outcome: "SUPERSEDED" });
  expect(fixture.scansRequested).toEqual([archive]);
  const { rows } = await fixture.database.db.query("select error_message from cf_processing_job where id = $1", [jobId]);
  expect(rows).toEqual([{ error_message: expect.stringContaining(reason) }]);
  expect(await copies()).toEqual([]);
});

test.each<[string, (content: string) => Uint8Array | Promise<Uint8Array>, string]>([
  ["kept.zip", (content) => zipFiles({ "a.csv": content }), "kept.zip!/a.csv"],
  ["kept.tar.gz", (content) => tarGzOf([{ name: "a.csv", content }]), "kept.tar.gz!/a.csv"],
  ["kept.csv.gz", (content) => gzipSync(content), "kept.csv.gz!/kept.csv"],
])("where contents are kept, a member is read although %s was replaced or has gone", async (archive, pack, member) => {
  await drop(archive, await pack(csv(11)));
  await scan({ snapshots: true });
  const first = await plan(member);
  await drop(archive, await pack(csv(12)));
  await scan({ snapshots: true });
  const second = await plan(member);
  await rm(join(fixture.folder, "in", archive));
  for (const [jobId, rows] of [
    [first, 11],
    [second, 12],
  ] as const) {
    expect(await run(jobId)).toMatchObject({ outcome: "STAGED" });
    await act(fixture.activities.commitJob, { jobId, attempt: 1 });
    expect((await readResults(fixture.output)).filter((result) => result.jobIds.includes(jobId)).map((result) => result.rows)).toEqual([
      rows,
    ]);
  }
  expect(await copies()).toEqual([]);
});

test("a copy of any version of the archive that held the member will do, until it held another", async () => {
  const bytes = { "same.csv": csv(21) };
  await drop("grown.zip", zipFiles(bytes));
  await scan({ snapshots: true });
  const firstCopy = await copyOf("grown.zip");
  const jobId = await plan("grown.zip!/same.csv");
  await drop("grown.zip", zipFiles({ ...bytes, "more.csv": csv(1) }));
  await scan({ snapshots: true });
  await drop("grown.zip", zipFiles({ "same.csv": csv(22) }));
  await scan({ snapshots: true });
  await rm(firstCopy);
  expect(await run(jobId)).toMatchObject({ outcome: "STAGED" });
});

test("a damaged copy of an archive gives no bytes", async () => {
  await drop("damaged.zip", zipFiles({ "a.csv": csv(31) }));
  await scan({ snapshots: true });
  const jobId = await plan("damaged.zip!/a.csv");
  const copy = await copyOf("damaged.zip");
  await chmod(copy, 0o600);
  await writeFile(copy, zipFiles({ "a.csv": csv(32) }));
  await rm(join(fixture.folder, "in", "damaged.zip"));
  await expect(run(jobId)).rejects.toMatchObject({ type: "SNAPSHOT_CORRUPT", nonRetryable: true });
  expect(await copies()).toEqual([]);
});

test("a job that is cancelled while its member is copied leaves no copy", async () => {
  await drop("large.zip", zipFiles({ "large.csv": `n\n${"1234567\n".repeat(4_000_000)}` }));
  await scan();
  const jobId = await plan("large.zip!/large.csv");
  const environment = new MockActivityEnvironment();
  const running = environment.run(fixture.activities.runPlugin, { jobId, quick: false });
  await expect.poll(copies, patience).toHaveLength(1);
  environment.cancel();
  await expect(running).rejects.toThrow();
  expect(await copies()).toEqual([]);
});
