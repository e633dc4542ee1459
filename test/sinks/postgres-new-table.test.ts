import { tableFromArrays, tableToIPC } from "apache-arrow";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createPostgresSink } from "../../sinks/postgres.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { lineage, messagesOf, requestFor } from "./arrow.ts";
import { openPostgresKind, type PostgresKind } from "./postgres-target.ts";

let kind: PostgresKind;
let sink: ReturnType<typeof createPostgresSink>;
let uri: string;
let table: string;
beforeAll(async () => {
  kind = await openPostgresKind();
  sink = createPostgresSink({});
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  uri = kind.newUri();
  table = new URL(uri).searchParams.get("table")!;
});

test("the staged table of a first result becomes the table, so that no row is written twice", async () => {
  const staged = await stage("1");
  const before = await storageOf(`_casparian."${staged.staged["name"]}"`);
  await sink.commit(staged);
  expect(await storageOf(table)).toEqual(before);
  expect(await kind.traces(uri)).toEqual([]);
});

test("what later results insert is beside its rows, and each has the lineage of its own", async () => {
  // Neither of these may change what a time is.
  const settings = ["datestyle = 'SQL, DMY'", "timezone = 'Asia/Kolkata'", "standard_conforming_strings = off"];
  const database = new URL(kind.url).pathname.slice(1);
  for (const setting of settings) await kind.query(`alter database ${database} set ${setting}`);
  try {
    await sink.close();
    sink = createPostgresSink({});
    for (const jobId of ["1", "2"])
      await sink.commit(await stage(jobId, { lineage: lineageOf(jobId, { pluginVersion: `o'\\${jobId}@1` }) }));
  } finally {
    await kind.query(`alter database ${database} reset all`);
    await sink.close();
    sink = createPostgresSink({});
  }
  const rows = (jobId: string) =>
    ["0", "1", "2"].map((n) => [n, "a".repeat(64), jobId, jobId, `2026-01-02 03:04:05.67${jobId}+00`, `o'\\${jobId}@1`]);
  expect(await kind.query(`select * from ${table} order by _cf_job_id, n`)).toEqual([...rows("1"), ...rows("2")]);
});

test.each(["moved", "made"])("a table that is %s has the same columns, comments, index and settings", async (how) => {
  // An event trigger wants to see tables being made.
  if (how === "made") await kind.query("create function seen() returns event_trigger language plpgsql as 'begin end'");
  if (how === "made") await kind.query("create event trigger seen on ddl_command_end execute function seen()");
  try {
    const staged = await stage("1", { mode: "replace" });
    const before = await storageOf(`_casparian."${staged.staged["name"]}"`);
    await sink.commit(staged);
    expect((await storageOf(table))[0] === before[0]).toBe(how === "moved");
  } finally {
    await kind.query("drop event trigger if exists seen");
  }
  expect(
    await kind.query(
      `select attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, col_description(attrelid, attnum)
       from pg_attribute where attrelid = '${table}'::regclass and attnum > 0 order by attnum`,
    ),
  ).toEqual([
    ["n", "integer", "f", "f", null],
    ["_cf_source_hash", "text", "t", "f", null],
    ["_cf_job_id", "bigint", "t", "f", null],
    ["_cf_file_version_id", "bigint", "t", "f", null],
    ["_cf_processed_at", "timestamp with time zone", "t", "f", null],
    ["_cf_plugin_version", "text", "t", "f", null],
  ]);
  const [, name] = table.split(".");
  const found = await kind.query(
    `select reloptions, (select string_agg(indexdef, ';') from pg_indexes where tablename = '${name}'),
       (select string_agg(replace(conname, '${name}', 't'), ' ' order by conname) from pg_constraint where conrelid = c.oid)
     from pg_class c where oid = '${table}'::regclass`,
  );
  expect(found).toEqual([
    [
      null,
      expect.stringMatching(/^CREATE INDEX target_\d+__cf_job_id_idx ON public\.target_\d+ USING brin \(_cf_job_id\)/),
      expect.toSatisfy(
        (names: string | null) => names === null || names.startsWith("t__cf_file_version_id_not_null t__cf_job_id_not_null"),
      ),
    ],
  ]);
});

test("the rights that are set for new tables of its schema are those of a first result's table", async () => {
  await kind.query("create role new_tables_reader");
  await kind.query("alter default privileges in schema public grant select on tables to new_tables_reader");
  try {
    await sink.commit(await stage("1"));
    expect(await kind.query(`select has_table_privilege('new_tables_reader', '${table}', 'select')`)).toEqual([["t"]]);
    expect(await kind.read(uri)).toEqual({ rows: 3, sum: 3, jobs: ["1"] });
  } finally {
    await kind.query("drop owned by new_tables_reader");
    await kind.query("drop role new_tables_reader");
  }
});

test("a first result that is replaced goes like any other", async () => {
  const [first, second] = [await stage("1", { mode: "replace" }), await stage("2", { mode: "replace" })];
  await sink.commit(first);
  await sink.commit(second, [first]);
  expect([await sink.isCommitted(first), await sink.isCommitted(second)]).toEqual([false, true]);
  expect(await kind.read(uri)).toEqual({ rows: 3, sum: 3, jobs: ["2"] });
});

test("a transaction whose snapshot is older than the table finds all of its rows", async () => {
  const reader = new Client({ connectionString: kind.url });
  await reader.connect();
  try {
    await reader.query("begin isolation level repeatable read");
    await reader.query("select from pg_class limit 1");
    await sink.commit(await stage("1"));
    expect((await reader.query(`select n from ${table} order by n`)).rows).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  } finally {
    await reader.end();
  }
});

/** The file that holds the rows. */
async function storageOf(name: string): Promise<readonly (string | null)[]> {
  const [row] = await kind.query(`select pg_relation_filenode('${name}')`);
  return row!;
}

function lineageOf(jobId: string, changes: Partial<OpenRequest["lineage"]> = {}): OpenRequest["lineage"] {
  return { ...lineage, jobId, fileVersionId: jobId, processedAt: new Date(`2026-01-02T03:04:05.67${jobId}Z`), ...changes };
}

async function stage(jobId: string, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const stream = tableToIPC(tableFromArrays({ n: Int32Array.of(0, 1, 2) }), "stream");
  const { schema, messages } = messagesOf(stream);
  const request = requestFor(schema, { uri, jobId, artifactHash: jobId.repeat(64), lineage: lineageOf(jobId), ...changes });
  const writer = await sink.open(request);
  for (const message of messages) await writer.write(message);
  return writer.stage();
}
