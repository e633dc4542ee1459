import { copyFile, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { execa } from "execa";
import { standardEnvironment } from "../bridge/environments.ts";
import { insertArtifact, insertEnvironment } from "../db/plugin.ts";
import type { Figure } from "./figure.ts";
import { startBenchRecord, type BenchRecord } from "./record.ts";

const few = 1_000;
const many = 20_000;

/**
 * `casparian query` over the result files of an output, each of 5 rows, beside DuckDB reading the folder with its own settings; both in a
 * process of their own, with what they took at most. First measured, on two cores that were very busy: 298 MiB where DuckDB alone took 428, and
 * 163 MiB over the few files; in 2.4 times the time.
 */
export async function benchQuery(): Promise<readonly Figure[]> {
  await using record = await startBenchRecord();
  const small = await run(record, await makeResults(record, "few", few));
  const folder = await makeResults(record, "many", many);
  const ours = await run(record, folder);
  const beside = await execa(process.execPath, ["--input-type=module", "-e", duckdbAlone, join(record.folder, folder)], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  const alone = JSON.parse(beside.stdout) as QueryRun;
  return [
    {
      name: `query over ${many} result files`,
      value: ours.seconds,
      unit: "s",
      ratio: alone.seconds / ours.seconds,
      beside: "DuckDB alone",
    },
    { name: "its memory", value: ours.peakBytes / 2 ** 20, unit: "MiB" },
    { name: "of DuckDB alone", value: alone.peakBytes / 2 ** 20, unit: "MiB" },
    { name: `memory over ${few} result files`, value: small.peakBytes / 2 ** 20, unit: "MiB" },
  ];
}

interface QueryRun {
  readonly seconds: number;
  readonly peakBytes: number;
}

async function run(record: BenchRecord, output: string): Promise<QueryRun> {
  const program = fileURLToPath(new URL("query-once.ts", import.meta.url));
  const { stdout } = await execa(process.execPath, [
    program,
    record.url,
    record.folder,
    `select count(*), sum(id) from ${output}.${output}`,
  ]);
  return JSON.parse(stdout) as QueryRun;
}

/** Results on record whose files lie in a folder of the output's name. */
async function makeResults({ db, folder, addSource }: BenchRecord, output: string, count: number): Promise<string> {
  const files = join(folder, output);
  await mkdir(files);
  await addSource(output, files);
  const { rows } = await db.query<{ id: string }>("select id from cf_source_root where name = $1", [output]);
  const environment = standardEnvironment();
  await insertEnvironment(db, environment);
  const artifactHash = Buffer.from(output.padEnd(32)).toString("hex");
  const plugin = await insertArtifact(db, {
    name: output,
    version: "1",
    artifactHash,
    sourceCode: "",
    manifest: { patterns: [], topic: output },
    environmentHash: environment.hash,
    publisher: "bench",
  });
  const first = join(files, "0.parquet");
  await writeRows(first);
  for (let n = 1; n < count; n += 1) await copyFile(first, join(files, `${n}.parquet`));
  await db.query(insertResults, [rows[0]!.id, count, plugin, output, `parquet://${output}`, (await stat(first)).size, files]);
  return output;
}

async function writeRows(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `copy (select range as id, 'name ' || range as name, range * 1.5 as price, repeat('a', 64) as _cf_source_hash, 1::bigint as _cf_job_id,
       1::bigint as _cf_file_version_id, now() as _cf_processed_at, 'p@1' as _cf_plugin_version from range(5)) to '${file}' (format parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
}

const columns = `[{"name": "id", "type": "int64", "nullable": true}, {"name": "name", "type": "string", "nullable": true},
  {"name": "price", "type": "double", "nullable": true}, {"name": "_cf_source_hash", "type": "string", "nullable": false},
  {"name": "_cf_job_id", "type": "int64", "nullable": false}, {"name": "_cf_file_version_id", "type": "int64", "nullable": false},
  {"name": "_cf_processed_at", "type": "timestamp[us, tz=UTC]", "nullable": false}, {"name": "_cf_plugin_version", "type": "string", "nullable": false}]`;

const insertResults = `with location as (
    insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
    select $1, n || '.csv', 1, 1, 1, n from generate_series(0, $2::int - 1) n returning id, rel_path
  ), version as (
    insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at)
    select id, 1, repeat('a', 64), 1, 1, 1, 1, now() from location returning id, location_id
  ), job as (
    insert into cf_processing_job (file_version_id, plugin_id, plugin_name, state, attempt, finished_at)
    select id, $3, $4, 'COMPLETED', 1, now() from version returning id, file_version_id
  ), attempt as (
    insert into cf_job_attempt (job_id, attempt, worker, outcome, finished_at) select id, 1, 'bench', 'COMMITTED', now() from job returning job_id
  )
  insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state, rows_sent, rows_received,
    rows_written, rows_read_back, size_bytes, columns, staged, target, committed_at)
  select job.id, 1, $4, job.file_version_id, $3, $5, 'append', 'COMMITTED', 5, 5, 5, 5, $6, '${columns}',
    jsonb_build_object('name', job.id || '-1-trades-0badf00d.parquet.staged', 'target', replace(l.rel_path, 'csv', 'parquet'), 'result',
      job.file_version_id || '/' || repeat('a', 64) || '/' || repeat('b', 64) || '/trades'),
    $7 || '/' || replace(l.rel_path, 'csv', 'parquet'), now()
  from job join attempt on attempt.job_id = job.id join version on version.id = job.file_version_id join location l on l.id = version.location_id`;

const duckdbAlone = `
import { DuckDBInstance } from "@duckdb/node-api";
const began = performance.now();
const connection = await (await DuckDBInstance.create(":memory:")).connect();
await connection.runAndReadAll("select count(*), sum(id) from read_parquet('" + process.argv[1] + "/*.parquet')");
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, peakBytes: process.resourceUsage().maxRSS * 1024 }));
`;
