import { afterAll, expect, test } from "vitest";
import { openDatabase, transaction, type Queryable } from "../../db/pool.ts";
import { jobStates, jobTransitions } from "../../domain/job-state.ts";
import { jobsWithVersions, versionsWithJobs } from "../support/audit-queries.ts";
import { testDatabase } from "../support/database.ts";

const { db, readerUrl, close } = await testDatabase();
const auditor = openDatabase(readerUrl);
afterAll(async () => {
  await auditor.end();
  await close();
});

const hash = (digit: string): string => digit.repeat(64);

test("both audit queries run as the auditor on an empty record", async () => {
  expect((await auditor.query(versionsWithJobs)).rows).toEqual([]);
  expect((await auditor.query(jobsWithVersions)).rows).toEqual([]);
});

test("both audit queries tell which bytes each job processed", async () => {
  const { first, second, job } = await transaction(db, insertRecord);
  expect((await auditor.query(versionsWithJobs)).rows).toEqual([
    {
      rel_path: "data/finance.csv",
      version_id: first,
      content_hash: hash("a"),
      size_bytes: "10",
      detected_at: new Date("2024-01-01T00:00:00Z"),
      jobs_processed: "1",
    },
    {
      rel_path: "data/finance.csv",
      version_id: second,
      content_hash: hash("b"),
      size_bytes: "12",
      detected_at: new Date("2024-01-02T00:00:00Z"),
      jobs_processed: "0",
    },
  ]);
  expect((await auditor.query(jobsWithVersions)).rows).toEqual([
    {
      job_id: job,
      status: "QUEUED",
      plugin_name: "finance",
      version_id: first,
      content_hash: hash("a"),
      rel_path: "data/finance.csv",
      detected_at: new Date("2024-01-01T00:00:00Z"),
    },
  ]);
});

test.each([
  "insert into cf_audit (actor, action, subject) values ('x', 'x', 'x')",
  "update cf_processing_job set state = 'CANCELLED'",
  "delete from cf_job_log",
  "truncate cf_audit",
  "create table cf_mine (id int)",
  "drop table cf_audit",
])("an auditor can't write: %s", async (statement) => {
  await expect(auditor.query(statement)).rejects.toMatchObject({ code: "25006" });
  // Not even after switching off the setting that says so first.
  const client = await auditor.connect();
  try {
    await client.query("begin read write");
    await expect(client.query(statement)).rejects.toMatchObject({ code: "42501" });
  } finally {
    await client.query("rollback");
    client.release();
  }
});

test("a job goes from state to state exactly as the domain says", async () => {
  const seen: Record<string, string[]> = {};
  for (const from of jobStates) {
    seen[from] = [];
    for (const to of jobStates) if (await canGo(from, to)) seen[from].push(to);
  }
  const expected = Object.fromEntries(
    jobStates.map((from) => [from, jobStates.filter((to) => to === from || jobTransitions[from].includes(to))]),
  );
  expect(seen).toEqual(expected);
});

test("a job keeps its file version and its artifact", async () => {
  await undone(async (tx) => {
    const { second, job } = await insertRecord(tx);
    await expect(tx.query("update cf_processing_job set file_version_id = $1 where id = $2", [second, job])).rejects.toMatchObject({
      code: "23001",
    });
  });
});

test("a file version is never updated", async () => {
  await undone(async (tx) => {
    const { first } = await insertRecord(tx);
    await expect(tx.query("update cf_file_version set content_hash = $1 where id = $2", [hash("c"), first])).rejects.toMatchObject({
      code: "23001",
    });
  });
});

test("a file version is not deleted while a job refers to it", async () => {
  await undone(async (tx) => {
    const { first } = await insertRecord(tx);
    await expect(tx.query("delete from cf_file_version where id = $1", [first])).rejects.toMatchObject({ code: "23503" });
  });
});

test("the audit is only appended to", async () => {
  for (const statement of ["update cf_audit set actor = 'nobody'", "delete from cf_audit"]) {
    await undone(async (tx) => {
      await tx.query("insert into cf_audit (actor, action, subject) values ('me', 'did', 'it')");
      await expect(tx.query(statement)).rejects.toMatchObject({ code: "23001" });
    });
  }
});

test("a result whose ledger doesn't balance can't be committed, nor a second one of the same output", async () => {
  await undone(async (tx) => {
    const { first, plugin, job } = await insertRecord(tx);
    await tx.query("insert into cf_job_attempt (job_id, attempt, worker) values ($1, 1, 'w'), ($1, 2, 'w')", [job]);
    const commit = (attempt: number, readBack: number): Promise<unknown> =>
      tx.query(
        `insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state, rows_sent, rows_received,
           rows_written, rows_read_back, columns, staged, target, committed_at)
         values ($1, $2, 'output', $3, $4, 'parquet://x', 'append', 'COMMITTED', 5, 5, 5, $5, '[]', '{}', 'x', now())`,
        [job, attempt, first, plugin, readBack],
      );
    await tx.query("savepoint unbalanced");
    await expect(commit(1, 4)).rejects.toMatchObject({ code: "23514" });
    await tx.query("rollback to savepoint unbalanced");
    await commit(1, 5);
    await expect(commit(2, 5)).rejects.toMatchObject({ code: "23505", constraint: "cf_job_output_one_result" });
  });
});

async function canGo(from: string, to: string): Promise<boolean> {
  return undone(async (tx) => {
    const { second, plugin } = await insertRecord(tx);
    const { rows } = await tx.query<{ id: string }>(
      "insert into cf_processing_job (file_version_id, plugin_id, plugin_name, state) values ($1, $2, 'finance', $3) returning id",
      [second, plugin, from],
    );
    return tx.query("update cf_processing_job set state = $1 where id = $2", [to, rows[0]?.id]).then(
      () => true,
      (error: { code?: string }) => {
        if (error.code !== "23001") throw error;
        return false;
      },
    );
  });
}

/** What the work does is seen by nobody else and undone afterwards. */
async function undone<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
  const client = await db.connect();
  try {
    await client.query("begin");
    return await work(client);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

let inserted = 0;

/** One file in two versions, one plugin, and a job of the first version. */
async function insertRecord(tx: Queryable): Promise<{ first: string; second: string; plugin: string; job: string }> {
  const n = ++inserted;
  const environment = n.toString(16).padStart(64, "0");
  const { rows } = await tx.query<{ first: string; second: string; plugin: string; job: string }>(
    `with source as (insert into cf_source_root (name, path) values ($1, '/inbox') returning id),
       location as (
         insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
         select id, 'data/finance.csv', 12, 2, 2, 1 from source returning id),
       version as (
         insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, detected_at)
         select location.id, v.* from location, (values
           (1, $3, 10, 1, 1, 1, timestamptz '2024-01-01Z', timestamptz '2024-01-01Z'),
           (2, $4, 12, 2, 2, 1, timestamptz '2024-01-02Z', timestamptz '2024-01-02Z')) v
         returning id, sequence),
       environment as (insert into cf_plugin_environment (hash, lockfile, python) values ($2, '', '3.11') returning hash),
       plugin as (
         insert into cf_plugin_manifest (name, version, artifact_hash, source_code, manifest, environment_hash, state, publisher, activated_at)
         select 'finance', $5, $2, '', '{}', hash, 'RETIRED', 'me', now() from environment returning id),
       job as (
         insert into cf_processing_job (file_version_id, plugin_id, plugin_name)
         select version.id, plugin.id, 'finance' from version, plugin where sequence = 1 returning id)
     select job.id as job, plugin.id as plugin, first.id as first, second.id as second
     from job, plugin, version first, version second where first.sequence = 1 and second.sequence = 2`,
    [`source-${n}`, environment, hash("a"), hash("b"), String(n)],
  );
  return rows[0]!;
}
