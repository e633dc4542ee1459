import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readResults } from "../support/parquet.ts";
import { createQueryFixture, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

test("a view may have thousands of files", async () => {
  const { db } = fixture.jobs.database;
  await fixture.publish("many", "*.many", tablePlugin);
  const jobId = await fixture.produce("0.many", "id\n1\n2\n");
  const { rows: found } = await db.query<{ target: string }>("select target from cf_job_output where job_id = $1", [jobId]);
  const { target } = found[0]!;
  const files = 2_000;
  for (let n = 0; n < files; n += 1) await copyFile(target, target.replace("0.", `copy${n}.`));
  await db.query(
    `with location as (
       insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
       select source_id, 'copy' || n, 1, 1, 1, n from cf_file_location, generate_series(0, $2 - 1) n where rel_path = '0.many' returning id, rel_path
     ), version as (
       insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at)
       select id, 1, repeat('a', 64), 1, 1, 1, 1, now() from location returning id, location_id
     ), job as (
       insert into cf_processing_job (file_version_id, plugin_id, plugin_name, state, attempt, finished_at)
       select version.id, j.plugin_id, j.plugin_name, 'COMPLETED', 1, now() from version, cf_processing_job j where j.id = $1
       returning id, file_version_id
     ), attempt as (
       insert into cf_job_attempt (job_id, attempt, worker, outcome, finished_at) select id, 1, 'test', 'COMMITTED', now() from job returning job_id
     )
     insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state, rows_sent, rows_received,
       rows_written, rows_read_back, size_bytes, columns, staged, target, committed_at)
     select job.id, 1, o.output_name, job.file_version_id, o.plugin_id, o.sink_uri, o.mode, o.state, o.rows_sent, o.rows_received,
       o.rows_written, o.rows_read_back, o.size_bytes, o.columns, o.staged, replace(o.target, '0.', l.rel_path || '.'), now()
     from job join attempt on attempt.job_id = job.id join version on version.id = job.file_version_id
       join location l on l.id = version.location_id, cf_job_output o where o.job_id = $1`,
    [jobId, files],
  );
  expect(await fixture.rows("select count(*) as n, sum(id) as total from many.many")).toEqual([{ n: 4_002, total: 6_003 }]);
  expect((await readResults(join(fixture.jobs.output, "many"))).length).toBe(2_001);
});
