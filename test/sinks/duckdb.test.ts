import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { tableFromArrays, tableToIPC, type Table } from "apache-arrow";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { duckdbAddress, duckdbUri } from "../../sinks/duckdb/address.ts";
import { probeDuckdb } from "../../sinks/duckdb/probe.ts";
import { takesWithoutLoss } from "../../sinks/duckdb/widening.ts";
import { createDuckdbSink } from "../../sinks/duckdb.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { lineage, messagesOf, requestFor } from "./arrow.ts";
import { openDuckdbKind, type DuckdbKind } from "./duckdb-target.ts";

let kind: DuckdbKind;
let sink: ReturnType<typeof createDuckdbSink>;
let uri: string;
beforeAll(async () => {
  kind = await openDuckdbKind();
  sink = createDuckdbSink({ baseDir: kind.baseDir });
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  uri = kind.newUri();
});

describe("a table that is there", () => {
  test("takes narrower values of the same kind, and gets the columns that are new", async () => {
    await commit(tableFromArrays({ a: BigInt64Array.of(1n), b: Float64Array.of(1) }));
    await commit(tableFromArrays({ A: Int16Array.of(2), b: Float32Array.of(0.5), c: ["new"] }), job("2"));
    await commit(tableFromArrays({ c: ["only"] }), job("3"));
    expect(await query("select a, b, c, _cf_job_id::varchar from trades order by 4")).toEqual([
      [2, 0.5, "new", "2"],
      [null, null, "only", "3"],
      [1, 1, null, "9007199254740993"],
    ]);
  });

  test("refuses a type that would not always fit, by name and both types: before any row, or at the commit", async () => {
    const early = await stage(tableFromArrays({ a: BigInt64Array.of(1n) }), job("2"));
    await commit(tableFromArrays({ a: Int32Array.of(1) }));
    const refusal = {
      code: "SINK_TABLE",
      message: `column "a" of main.trades is of type INTEGER, and the output's is BIGINT, which would not always fit into it`,
      hint: expect.stringContaining(`alter column "a" type BIGINT`),
    };
    await expect(sink.open(request(tableFromArrays({ a: BigInt64Array.of(1n) })))).rejects.toMatchObject(refusal);
    await expect(sink.commit(early)).rejects.toMatchObject(refusal);
    await sink.discard(early);
    expect(await query("select a from trades")).toEqual([[1]]);
    expect(await kind.traces(uri)).toEqual([]);
  });

  test("is left alone where it is not one of ours, a view, or a column of it can't be filled", async () => {
    await commit(numbersTable());
    await own("create table foreign_one (n bigint); create view seen as from trades; alter table trades alter column n set not null");
    await expect(commit(numbersTable(), { uri: at("foreign_one") })).rejects.toMatchObject({
      code: "SINK_TABLE",
      message: expect.stringContaining("not one of ours: it has no column _cf_source_hash, _cf_job_id"),
    });
    await expect(commit(numbersTable(), { uri: at("SEEN") })).rejects.toThrow("main.SEEN is a view and no table");
    await expect(commit(tableFromArrays({ m: Int32Array.of(1) }))).rejects.toThrow(`column "n" of main.trades is "not null"`);
  });

  test("that somebody dropped is made again, and its results are forgotten", async () => {
    const staged = await commit(numbersTable());
    await own("drop table trades");
    const again = await commit(numbersTable(), { attempt: 2 });
    expect([await sink.isCommitted(staged), await sink.isCommitted(again)]).toEqual([false, true]);
    expect(await query("select count(*) from trades")).toEqual([[3]]);
  });

  test("takes one output of a job where results are replaced, however its name is written", async () => {
    const first = await sink.open(request(numbersTable(), { mode: "replace" }));
    const other = { mode: "replace", output: "other", uri: at("TRADES") } as const;
    await expect(sink.open(request(numbersTable(), other))).rejects.toMatchObject({ code: "SINK_TABLE_SHARED" });
    await first.abort();
    const outputs = [await commit(numbersTable()), await commit(numbersTable(), { output: "other", uri: at("TRADES") })];
    const next = await stage(numbersTable(), { ...job("2"), mode: "replace" });
    await expect(sink.commit(next, outputs.slice(0, 1))).rejects.toMatchObject({ code: "SINK_TABLE_SHARED" });
    expect(await query("select count(*) from trades")).toEqual([[6]]);
    await sink.commit(next, outputs);
    expect(await query("select count(*) from trades")).toEqual([[3]]);
  });

  test("may lie in a schema of its own, beside others in one file", async () => {
    await commit(numbersTable(), { uri: at("sales.trades") });
    await commit(numbersTable(), { uri: at("sel%2Eect.%22group%22"), ...job("2") });
    expect(await query(`select (select count(*) from sales.trades), (select sum(n) from "sel.ect"."""group""")`)).toEqual([[3, 3]]);
  });
});

describe("a file", () => {
  test("that is another one, and a folder that can't be made, are refused in the words of DuckDB and the system", async () => {
    const path = kind.pathOf(uri);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "a,b\n1,2\n");
    await expect(commit(numbersTable())).rejects.toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringMatching(/main\.trades can't be looked at: IO Error: .*not a valid DuckDB database file/),
    });
    await expect(probeDuckdb(uri, { output: "o", baseDir: kind.baseDir })).rejects.toMatchObject({ code: "SINK_REFUSED" });
    await expect(commit(numbersTable(), { uri: `duckdb://${path}/lake.duckdb?table=t` })).rejects.toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringContaining("ENOTDIR"),
    });
    expect(await readdir(dirname(path))).toEqual(["lake.duckdb"]);
  });

  test("is the same one by all of its names", async () => {
    await commit(numbersTable());
    const link = join(dirname(kind.pathOf(uri)), "link.duckdb");
    await symlink("lake.duckdb", link);
    const staged = await Promise.all(
      ["2", "3", "4", "5"].map((id) =>
        stage(numbersTable(), { ...job(id), ...(id < "4" ? { uri: `duckdb://${link}?table=trades` } : {}) }),
      ),
    );
    await Promise.all(staged.map((output) => sink.commit(output)));
    expect(await query("select count(*) from trades")).toEqual([[15]]);
  });

  test("is found writable or not without a change", async () => {
    const ask = () => probeDuckdb(uri, { output: "trades", baseDir: kind.baseDir });
    await ask();
    expect(await kind.traces(uri)).toEqual([]);
    await commit(numbersTable());
    await ask();
    await own("alter table trades drop column _cf_job_id");
    await expect(ask()).rejects.toMatchObject({ code: "SINK_TABLE" });
  });
});

test("staged rows that somebody has removed are not committed", async () => {
  const staged = await stage(numbersTable());
  await sink.discard(staged);
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
  await commit(numbersTable(), { attempt: 2 });
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
  expect(await query("select count(*) from trades")).toEqual([[3]]);
});

describe("addresses", () => {
  test.each([
    ["duckdb://lake.duckdb?table=trades", { path: "lake.duckdb", table: { schema: "main", name: "trades" } }],
    ["duckdb:///data/a%20b?c/lake.db?table=s.v1%2E2", { path: "/data/a%20b?c/lake.db", table: { schema: "s", name: "v1.2" } }],
    ["duckdb://./out/../lake", { path: "lake", table: null }],
  ])("%s", (given, expected) => {
    expect(duckdbAddress(given)).toEqual(expected);
  });

  test("of one table are written in one way", () => {
    const given = ["duckdb://lake.duckdb", "duckdb://./lake.duckdb?table=trades", "DuckDB://lake.duckdb?table=main.trades"];
    expect(given.map((one) => duckdbUri(one, "trades"))).toEqual(given.map(() => "duckdb://lake.duckdb?table=main.trades"));
  });

  test.each([
    ["duckdb://data/", "it names no file"],
    ["duckdb://:memory:?table=t", "it names no file"],
    ["duckdb://lake?table=a.b.c", `"a.b.c" is not a table`],
    ["duckdb://lake?table=", `"" is not a table`],
    ["duckdb://lake?trades", `"trades" is no table`],
    ["duckdb://lake?table=_casparian.t", "the schema _casparian is not for results"],
    ["duckdb://lake?table=%ZZ", "is not percent-encoded"],
  ])("%s is refused", (given, message) => {
    expect(() => duckdbUri(given, "t")).toThrow(message);
  });
});

test("what fits without loss", () => {
  const fits = [
    "BIGINT<SMALLINT",
    "BIGINT<UINTEGER",
    "HUGEINT<UBIGINT",
    "DECIMAL(20,0)<UBIGINT",
    "DECIMAL(12,4)<DECIMAL(10,2)",
    "DOUBLE<FLOAT",
  ];
  const nested = ["BIGINT[]<INTEGER[]", "BIGINT[]<INTEGER[3]", "TIMESTAMP<TIMESTAMP_S", "TIME_NS<TIME"];
  const not = ["UBIGINT<INTEGER", "INTEGER<UINTEGER", "DECIMAL(18,0)<BIGINT", "FLOAT<DOUBLE", "TIMESTAMP_NS<TIMESTAMP", "VARCHAR<INTEGER"];
  const unlike = ["INTEGER[3]<INTEGER[2]", "INTEGER[]<BIGINT[]", "TIMESTAMP WITH TIME ZONE<TIMESTAMP", "TIMESTAMP_S<TIMESTAMP_MS"];
  const all = [...fits, ...nested, ...not, ...unlike].map((pair) => {
    const [there, given] = pair.split("<") as [string, string];
    return takesWithoutLoss(there, given) ? pair : null;
  });
  expect(all.filter((pair) => pair !== null)).toEqual([...fits, ...nested]);
});

function numbersTable(): Table {
  return tableFromArrays({ n: Int32Array.of(0, 1, 2) });
}

function job(jobId: string): Partial<OpenRequest> {
  return { jobId, lineage: { ...lineage, jobId, fileVersionId: jobId } };
}

/** Another table of the same file. */
function at(table: string): string {
  return uri.replace(/table=.*/, `table=${table}`);
}

function request(given: Table, changes: Partial<OpenRequest> = {}): OpenRequest {
  return requestFor(messagesOf(tableToIPC(given, "stream")).schema, { uri, ...changes });
}

async function stage(given: Table, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const writer = await sink.open(request(given, changes));
  for (const message of messagesOf(tableToIPC(given, "stream")).messages) await writer.write(message);
  return writer.stage();
}

async function commit(given: Table, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const staged = await stage(given, changes);
  await sink.commit(staged);
  return staged;
}

function query(sql: string) {
  return kind.query(kind.pathOf(uri), sql);
}

/** As the file's owner. */
function own(sql: string) {
  return kind.change(kind.pathOf(uri), sql);
}
