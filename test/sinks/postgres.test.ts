import { makeData, makeVector, Table, tableFromArrays, tableToIPC, TimestampMicrosecond } from "apache-arrow";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Connections } from "../../domain/connection.ts";
import { openConnections } from "../../config/connections.ts";
import { probePostgres } from "../../sinks/postgres/probe.ts";
import { takesWithoutLoss } from "../../sinks/postgres/widening.ts";
import { createPostgresSink } from "../../sinks/postgres.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { messagesOf, numbers, requestFor } from "./arrow.ts";
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

describe("columns", () => {
  test("as many as Postgres has room for are kept, and one more is refused by its name", async () => {
    const wide = (columns: number): Table =>
      tableFromArrays(Object.fromEntries(Array.from({ length: columns }, (_, index) => [`c${index}`, Int16Array.of(index)])));
    await sink.commit(await stage(wide(1595)));
    expect(await kind.query(`select c0, c1594 from ${table}`)).toEqual([["0", "1594"]]);
    for (const columns of [1596, 2000])
      await expect(stage(wide(columns))).rejects.toMatchObject({
        code: "SINK_COLUMNS",
        message: `the output has ${columns} columns and Postgres 1600 at most, 5 of them for lineage: from "c1595" on there is no room`,
      });
  });

  test.each([
    [["x".repeat(64)], `the name of the column "${"x".repeat(64)}" has 64 bytes, and Postgres keeps 63`],
    [["€".repeat(22)], `the name of the column "${"€".repeat(22)}" has 66 bytes, and Postgres keeps 63`],
    [["ctid"], `a column can't be named "ctid"`],
    [["a\0b"], `the name of column 1, "a\\0b", has a zero byte in it`],
    [["_CF_Job_Id"], `the plugin's column "_CF_Job_Id" has the name of a lineage column`],
  ])("a name that Postgres would change or not take is refused: %j", async (names, message) => {
    const given = tableFromArrays(Object.fromEntries(names.map((name) => [name, Int32Array.of(1)])));
    await expect(stage(given)).rejects.toMatchObject({ code: "SINK_COLUMNS", message: expect.stringContaining(message) });
    expect(await kind.traces(uri)).toEqual([]);
  });

  test("a text with a zero byte is refused by row and column, in the server's words", async () => {
    await expect(stage(tableFromArrays({ n: [1, 2, 3], note: ["a", "b", "c\0d"] }))).rejects.toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringMatching(/row 3 of column "note": invalid byte sequence for encoding "UTF8": 0x00/),
      hint: expect.stringContaining("zero bytes"),
    });
    expect(await kind.traces(uri)).toEqual([]);
  });

  test("the last microsecond that Arrow can count is kept", async () => {
    const data = makeData({ type: new TimestampMicrosecond(), length: 1, data: BigInt64Array.of(2n ** 63n - 1n) });
    await sink.commit(await stage(new Table({ at: makeVector(data) })));
    expect(await kind.query(`select at from ${table}`)).toEqual([["294247-01-10 04:00:54.775807"]]);
  });
});

describe("a table that is there", () => {
  test("takes narrower values of the same kind, and gets the columns that are new", async () => {
    await sink.commit(await stage(tableFromArrays({ a: BigInt64Array.of(1n), b: Float64Array.of(1) })));
    const next = tableFromArrays({ a: Int16Array.of(2), b: Float32Array.of(0.5), c: ["new"] });
    await sink.commit(await stage(next, { jobId: "2", lineage: lineageOf("2") }));
    await sink.commit(await stage(tableFromArrays({ c: ["only"] }), { jobId: "3", lineage: lineageOf("3") }));
    expect(await kind.query(`select a, b, c, _cf_job_id from ${table} order by 4`)).toEqual([
      ["2", "0.5", "new", "2"],
      [null, null, "only", "3"],
      ["1", "1", null, "9007199254740993"],
    ]);
  });

  test("refuses a type that would not always fit, before any row, by name and both types", async () => {
    await sink.commit(await stage(tableFromArrays({ a: Int32Array.of(1) })));
    await expect(sink.open(request(tableFromArrays({ a: BigInt64Array.of(1n) })))).rejects.toMatchObject({
      code: "SINK_TABLE",
      message: `column "a" of ${table} is of type integer, and the output's is bigint, which would not always fit into it`,
      hint: expect.stringContaining(`alter column "a" type bigint`),
    });
  });

  test("is left alone where it is not one of ours, or a column of it can't be filled", async () => {
    await kind.query(`create table ${table} (n bigint)`);
    await expect(stage(tableFromArrays({ n: Int32Array.of(1) }))).rejects.toMatchObject({
      code: "SINK_TABLE",
      message: expect.stringContaining("not one of ours: it has no column _cf_source_hash, _cf_job_id"),
    });
    await kind.query(`drop table ${table}`);
    await sink.commit(await stage(tableFromArrays({ n: Int32Array.of(1) })));
    await kind.query(`alter table ${table} alter column n set not null`);
    await expect(stage(tableFromArrays({ m: Int32Array.of(1) }))).rejects.toThrow(`column "n" of ${table} is "not null"`);
  });

  test("has an index by job where results are replaced, and only there", async () => {
    const indexes = (): ReturnType<PostgresKind["query"]> =>
      kind.query(`select indexdef ~ 'USING brin \\(_cf_job_id\\)' from pg_indexes where 'public.' || tablename = '${table}'`);
    await sink.commit(await stage(tableFromArrays({ n: Int32Array.of(1) })));
    expect(await indexes()).toEqual([]);
    await sink.commit(await stage(tableFromArrays({ n: Int32Array.of(1) }), { mode: "replace", jobId: "2", lineage: lineageOf("2") }));
    expect(await indexes()).toEqual([["t"]]);
  });

  test("that somebody dropped is made again, and its results are forgotten", async () => {
    const staged = await stage(numbersTable());
    await sink.commit(staged);
    await kind.query(`drop table ${table}`);
    const again = await stage(numbersTable(), { attempt: 2 });
    await sink.commit(again);
    expect([await sink.isCommitted(staged), await sink.isCommitted(again)]).toEqual([false, true]);
    expect(await kind.query(`select count(*) from ${table}`)).toEqual([["3"]]);
  });

  test("takes one output of a job where results are replaced, which is told before any row is visible", async () => {
    const first = await sink.open(request(numbersTable(), { mode: "replace" }));
    await expect(sink.open(request(numbersTable(), { mode: "replace", output: "other" }))).rejects.toMatchObject({
      code: "SINK_TABLE_SHARED",
    });
    await first.abort();
    const outputs = [await stage(numbersTable()), await stage(numbersTable(), { output: "other" })];
    for (const staged of outputs) await sink.commit(staged);
    const next = await stage(numbersTable(), { mode: "replace", jobId: "2", lineage: lineageOf("2") });
    await expect(sink.commit(next, outputs.slice(0, 1))).rejects.toMatchObject({ code: "SINK_TABLE_SHARED" });
    expect(await kind.query(`select count(*) from ${table}`)).toEqual([["6"]]);
    await sink.commit(next, outputs);
    expect(await kind.query(`select count(*) from ${table}`)).toEqual([["3"]]);
  });
});

test.each(["new", "there"])("staged rows that somebody has changed are not committed to a table that is %s", async (state) => {
  if (state === "there") await sink.commit(await stage(numbersTable(), { jobId: "2", artifactHash: "c".repeat(64) }));
  const before = await kind.read(uri);
  const staged = await stage(numbersTable());
  await kind.query(`delete from _casparian."${staged.staged["name"]}" where n = 1`);
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST", message: expect.stringContaining("2 rows where 3") });
  expect(await kind.read(uri)).toEqual(before);
  await sink.discard(staged);
});

describe("a server's refusals", () => {
  test("a wrong password, a missing database and missing rights are final, in the server's words", async () => {
    await sink.commit(await stage(numbersTable()));
    await kind.query("create role limited login password 'limited'");
    const login = (change: Partial<URL>): Connections =>
      connectionTo(Object.assign(new URL(kind.url), { username: "limited", password: "limited" }, change));
    const attempt = (connections: Connections): Promise<unknown> => tryNamed(connections, "postgres://lake/public.none");
    await expect(attempt(login({ password: "wrong" }))).rejects.toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringContaining(`password authentication failed for user "limited"`),
      hint: expect.stringContaining("password_env"),
    });
    await expect(attempt(login({ pathname: "/nowhere" }))).rejects.toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringContaining(`database "nowhere" does not exist`),
    });
    const probe = (): Promise<void> => probePostgres("postgres://lake/public.none", { output: "o", connections: login({}) });
    for (const ask of [() => attempt(login({})), probe])
      await expect(ask()).rejects.toMatchObject({ code: "SINK_TABLE", hint: expect.stringContaining("grant all on schema _casparian") });
    const grants = "grant all on schema _casparian to limited; grant all on all tables in schema _casparian to limited";
    await kind.query(`do $$ begin ${grants}; end $$`);
    await expect(attempt(login({}))).rejects.toMatchObject({ code: "SINK_TABLE", hint: `grant create on schema "public" to "limited";` });
    await sink.commit(await stage(numbersTable()));
    await expect(tryNamed(login({}), `postgres://lake/${table}`)).rejects.toMatchObject({
      code: "SINK_TABLE",
      message: expect.stringContaining("may not insert rows"),
    });
  });

  test("a missing schema is told with the statement that makes it", async () => {
    await expect(sink.open(request(numbersTable(), { uri: uri.replace("public.", "lake.") }))).rejects.toMatchObject({
      code: "SINK_TABLE",
      hint: `create schema "lake";`,
    });
  });

  test("no answer and no free connection may pass", async () => {
    const deaf = connectionTo(Object.assign(new URL(kind.url), { port: "1" }));
    await expect(tryNamed(deaf, "postgres://lake/t")).rejects.toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await kind.query("create role crowded login password 'crowded' connection limit 0");
    const crowded = connectionTo(Object.assign(new URL(kind.url), { username: "crowded", password: "crowded" }));
    await expect(tryNamed(crowded, "postgres://lake/t")).rejects.toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringContaining("too many connections"),
    });
  });

  test("no message holds the password", async () => {
    const changes: readonly Partial<URL>[] = [{ port: "1" }, { pathname: "/nowhere" }, { username: "nobody" }];
    for (const change of changes) {
      const address = Object.assign(new URL(kind.url), change);
      const failure = await tryNamed(connectionTo(address), "postgres://lake/t").catch(
        (error: unknown) => error as Error & { hint?: string },
      );
      expect(failure).toBeInstanceOf(Error);
      const { message, stack, hint, ...rest } = failure as Error & { hint?: string };
      expect([message, stack, hint, JSON.stringify(rest)].join("\n")).not.toContain(address.password);
    }
  });
});

test("what fits without loss", () => {
  const fits = [
    "bigint<smallint",
    "numeric<bigint",
    "numeric(20,0)<bigint",
    "numeric(12,4)<numeric(10,2)",
    "double precision<real",
    "bigint[]<integer[]",
  ];
  const not = [
    "smallint<integer",
    "numeric(18,0)<bigint",
    "numeric(11,4)<numeric(10,2)",
    "real<double precision",
    "text<integer",
    "character varying(9)<text",
  ];
  for (const [index, pairs] of [fits, not].entries())
    for (const pair of pairs) {
      const [there, given] = pair.split("<") as [string, string];
      expect([pair, takesWithoutLoss(there, given)]).toEqual([pair, index === 0]);
    }
});

function connectionTo(url: URL): Connections {
  return openConnections([{ name: "lake", url: { variable: "LAKE" }, password: null }], { LAKE: url.href });
}

async function tryNamed(connections: Connections, target: string): Promise<void> {
  const own = createPostgresSink({ connections });
  try {
    await own.open(request(numbersTable(), { uri: target }));
  } finally {
    await own.close();
  }
}

function numbersTable(): Table {
  return tableFromArrays({ n: Int32Array.of(0, 1, 2) });
}

function lineageOf(jobId: string): OpenRequest["lineage"] {
  return { ...requestFor(messagesOf(numbers(0)).schema).lineage, jobId, fileVersionId: jobId };
}

function request(given: Table, changes: Partial<OpenRequest> = {}): OpenRequest {
  return requestFor(messagesOf(tableToIPC(given, "stream")).schema, { uri, ...changes });
}

async function stage(given: Table, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const writer = await sink.open(request(given, changes));
  for (const message of messagesOf(tableToIPC(given, "stream")).messages) await writer.write(message);
  return writer.stage();
}
