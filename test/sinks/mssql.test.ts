import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Null, RecordBatch, Schema, Struct, Table, makeData, tableFromArrays, tableToIPC, vectorFromArray } from "apache-arrow";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TerminalFailure } from "../../domain/failure.ts";
import { createMssqlSink } from "../../sinks/mssql.ts";
import type { Sink, StagedOutput } from "../../sinks/sink.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { failureOf } from "./failure-of.ts";
import { connectionUrl, openMssqlKind, type MssqlKind } from "./mssql-target.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let kind: MssqlKind;
let sink: Sink;
let uri: string;
beforeAll(async () => {
  kind = await openMssqlKind();
  sink = createMssqlSink(kind);
});
beforeEach(() => {
  uri = kind.newUri();
});
afterAll(() => kind.close());

describe("the table", () => {
  const tableOf = (given: string): string => given.replace("mssql://", "");
  const make = (columns: string): Promise<unknown> => {
    const statements = [`create table dbo.${tableOf(uri)} (${columns.replaceAll(/ as '[^']*'/g, "")})`];
    for (const [, name, type] of columns.matchAll(/(\w+) \S+(?: \S+)*? as '([^']*)'/g))
      statements.push(`comment on column dbo.${tableOf(uri)}.${name!} is '${type!}'`);
    return kind.query(statements.join(";"));
  };
  const lineageDefinition =
    "_cf_source_hash text not null as 'varchar(64)', _cf_job_id bigint not null as 'bigint', _cf_file_version_id bigint not null as 'bigint', " +
    "_cf_processed_at text not null as 'datetimeoffset(6)', _cf_plugin_version text not null as 'nvarchar(400)'";

  test("is made with the columns of the output and the lineage columns", async () => {
    await sink.commit(await stageIn(sink, uri, numbers(2)));
    const found = await kind.query(
      `select attname, col_description(attrelid, attnum) from pg_attribute where attrelid = 'dbo.${tableOf(uri)}'::regclass and attnum > 0 order by attnum`,
    );
    expect(found).toEqual([
      ["n", "bigint"],
      ["_cf_source_hash", "varchar(64)"],
      ["_cf_job_id", "bigint"],
      ["_cf_file_version_id", "bigint"],
      ["_cf_processed_at", "datetimeoffset(6)"],
      ["_cf_plugin_version", "nvarchar(400)"],
    ]);
    expect(await kind.query(`select * from dbo.${tableOf(uri)} order by n`)).toEqual(
      ["0", "1"].map((n) => [n, "a".repeat(64), lineage.jobId, "12", "2026-01-02T03:04:05.678Z", "trades@1.2.3"]),
    );
  });

  test("gets the columns that a later output has more, and an index where results are replaced", async () => {
    const first = await stageIn(sink, uri, numbers(2));
    await sink.commit(first);
    const more = tableToIPC(tableFromArrays({ n: BigInt64Array.of(7n), more: ["x"] }), "stream");
    const { schema, messages } = messagesOf(more);
    const writer = await sink.open(
      requestFor(schema, { uri, jobId: "2", mode: "replace", lineage: { ...lineage, jobId: "2", fileVersionId: "13" } }),
    );
    for (const message of messages) await writer.write(message);
    await sink.commit(await writer.stage(), [first]);
    expect(await kind.query(`select n, more from dbo.${tableOf(uri)}`)).toEqual([["7", "x"]]);
    expect(await kind.query(`select count(*) from pg_indexes where tablename = '${tableOf(uri)}'`)).toEqual([["1"]]);
  });

  test("is taken as it is where its columns are wider or may be left out", async () => {
    await make(
      `n numeric(38,2) null as 'decimal(38,2)', other text null as 'nvarchar(10)', made text not null default 'x' as 'nvarchar(max)', ${lineageDefinition}`,
    );
    await sink.commit(await stageIn(sink, uri, numbers(3)));
    expect(await kind.read(uri)).toMatchObject({ rows: 3, sum: 3 });
  });

  const refused: readonly (readonly [columns: string, message: string, hint: string])[] = [
    [
      "n bigint as 'bigint'",
      "is there already and not one of ours: it has no column _cf_source_hash",
      "add _cf_source_hash varchar(64) not null",
    ],
    [`n integer as 'int', ${lineageDefinition}`, 'column "n" of dbo.', "alter column [n] bigint null"],
    [`n text as 'nvarchar(50)', ${lineageDefinition}`, "is of type nvarchar(50), and the output's is bigint", "Cast it in the plugin"],
    [`n numeric(18,0) as 'decimal(18,0)', ${lineageDefinition}`, "is of type decimal(18,0)", "Cast it in the plugin"],
    [`n bigint as 'bigint', own integer not null as 'int', ${lineageDefinition}`, 'column "own"', "alter column [own] int null"],
    [
      `n bigint as 'bigint', ${lineageDefinition.replace("'datetimeoffset(6)'", "'datetime'")}`,
      "where datetimeoffset(6) is needed",
      "Name another table",
    ],
  ];
  test.each(refused)("with %s is refused", async (columns, message, hint) => {
    await make(columns);
    const failure = await failureOf(stageIn(sink, uri, numbers(1)));
    expect(failure).toBeInstanceOf(TerminalFailure);
    expect(failure).toMatchObject({ code: "SINK_TABLE", message: expect.stringContaining(message), hint: expect.stringContaining(hint) });
    expect(await kind.traces(uri)).toEqual([]);
  });

  test("in a schema that is not there is refused at the commit, in the server's words", async () => {
    const staged = await stageIn(sink, "mssql://nowhere.trades", numbers(1));
    const failure = await failureOf(sink.commit(staged));
    expect(failure).toMatchObject({ code: "SINK_REFUSED", hint: expect.stringContaining("Create the schema") });
    await sink.discard(staged);
  });

  test("takes columns whose names differ by more than case, and refuses those that do by that alone", async () => {
    const stream = tableToIPC(tableFromArrays({ Total: BigInt64Array.of(1n), TOTAL: BigInt64Array.of(2n) }), "stream");
    const failure = await failureOf(sink.open(requestFor(messagesOf(stream).schema, { uri })));
    expect(failure).toMatchObject({ code: "SINK_COLUMNS", message: expect.stringContaining('"Total" and "TOTAL"') });
  });

  test("without columns of the plugin's keeps as many rows", async () => {
    const batch = new RecordBatch(new Schema([]), makeData({ type: new Struct([]), length: 3, children: [] }));
    const { schema, messages } = messagesOf(tableToIPC(new Table(new Schema([]), [batch]), "stream"));
    const writer = await sink.open(requestFor(schema, { uri }));
    for (const message of messages) await writer.write(message);
    const staged = await writer.stage();
    expect(staged).toMatchObject({ rowsWritten: 3, rowsReadBack: 3 });
    await sink.commit(staged);
    expect(await kind.query(`select count(*) from dbo.${tableOf(uri)}`)).toEqual([["3"]]);
  });

  test("a column without any value fits one of any type", async () => {
    await sink.commit(await stageIn(sink, uri, numbers(1)));
    const stream = tableToIPC(new Table({ n: vectorFromArray([null, null], new Null()) }), "stream");
    const { schema, messages } = messagesOf(stream);
    const writer = await sink.open(requestFor(schema, { uri, jobId: "2", lineage: { ...lineage, jobId: "2", fileVersionId: "13" } }));
    for (const message of messages) await writer.write(message);
    await sink.commit(await writer.stage());
    expect(await kind.query(`select n from dbo.${tableOf(uri)} order by n nulls last`)).toEqual([["0"], [null], [null]]);
  });

  test("of several outputs of a job has none of them replaced alone", async () => {
    const of = (number: number, output: string): Promise<StagedOutput> =>
      stageIn(sink, uri, numbers(number), {
        mode: "replace",
        output,
        jobId: String(number),
        lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
      });
    const [one, other, later] = [await of(1, "one"), await of(1, "other"), await of(2, "one")];
    await sink.commit(one);
    await sink.commit(other);
    expect(await failureOf(sink.commit(later, [one]))).toMatchObject({ code: "SINK_TABLE_SHARED" });
    expect(await kind.read(uri)).toMatchObject({ rows: 2, jobs: ["1"] });
    await sink.discard(later);
  });
});

test("staged rows that somebody changed are not committed", async () => {
  const staged = await stageIn(sink, uri, numbers(3));
  await kind.query(`delete from _casparian.${String(staged.staged["name"])} where c0 = 1`);
  expect(await failureOf(sink.commit(staged))).toMatchObject({ code: "STAGED_LOST", message: expect.stringContaining("2 rows where 3") });
  expect(await kind.read(uri)).toMatchObject({ rows: 0 });
  await sink.discard(staged);
});

test("a larger load takes no more memory than a smaller one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "casparian-mssql-"));
  const counting = await openMssqlKind({ discardsRows: true });
  const stream = join(folder, "much.arrows");
  await writeFile(stream, numbers(100_000, 4));
  const load = async (times: number): Promise<{ readonly rows: number; readonly peakBytes: number }> => {
    const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "load-much.ts"), "mssql://much", stream, String(times)]);
    return JSON.parse(stdout) as { readonly rows: number; readonly peakBytes: number };
  };
  const [small, large] = [await load(2), await load(50)];
  expect([small.rows, large.rows]).toEqual([200_000, 5_000_000]);
  expect(large.peakBytes - small.peakBytes).toBeLessThan(60 * 1024 * 1024);
  await counting.close();
  process.env["CASPARIAN_CONNECTION_MSSQL"] = connectionUrl(kind.server);
  await rm(folder, { recursive: true });
});
