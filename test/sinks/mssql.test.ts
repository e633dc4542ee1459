import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Null, RecordBatch, Schema, Struct, Table, makeData, tableFromArrays, tableToIPC, vectorFromArray } from "apache-arrow";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { mssqlAddress } from "../../sinks/mssql/address.ts";
import { createMssqlSink } from "../../sinks/mssql.ts";
import type { OpenRequest, Sink, StagedOutput } from "../../sinks/sink.ts";
import type { Interference, Step } from "../support/sql-server.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { connectionUrl, openMssqlKind, password, type MssqlKind } from "./mssql-target.ts";

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
afterEach(() => {
  kind.server.interfere = () => undefined;
});
afterAll(() => kind.close());

/** Has the stub interfere once, at the first step that fits. */
function interfereOnce(fits: (step: Step) => boolean, interference: Interference): void {
  let isOver = false;
  kind.server.interfere = (step) => {
    if (isOver || !fits(step)) return undefined;
    isOver = true;
    return interference;
  };
}

const statement =
  (part: string) =>
  (step: Step): boolean =>
    step.kind === "statement" && step.sql.includes(part);

async function failureOf(work: Promise<unknown>): Promise<TerminalFailure | TransientFailure> {
  const failure: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (failure instanceof TerminalFailure || failure instanceof TransientFailure) return failure;
  throw new Error("no failure", { cause: failure });
}

describe("the URI", () => {
  test.each([
    ["mssql://trades", "mssql", "dbo", "trades"],
    ["mssql://books.trades", "mssql", "books", "trades"],
    ["mssql://books.trades?connection=erp", "erp", "books", "trades"],
    ["mssql://a%2Eb", "mssql", "dbo", "a.b"],
  ])("%s is at connection %s the table %s.%s", (given, connection, schema, name) => {
    expect(mssqlAddress(given)).toEqual({ connection, table: { schema, name } });
  });

  test.each([
    "mssql://host:1433/books",
    "mssql://sink:secret@host/books?table=trades",
    "mssql://a.b.c",
    "mssql://a.",
    "mssql://trades?connection=1",
    "mssql://trades?table=x",
    `mssql://${"x".repeat(129)}`,
    "mssql://%zz",
  ])("%s is refused with what to write", async (given) => {
    const failure = await failureOf(stageIn(sink, given, numbers(1)));
    expect(failure).toMatchObject({ code: "SINK_URI", hint: expect.stringContaining("mssql://schema.table?connection=NAME") });
    expect(failure.message).not.toContain("secret");
  });

  test("a connection that nobody has configured is told by name", async () => {
    const failure = await failureOf(stageIn(sink, "mssql://trades?connection=erp", numbers(1)));
    expect(failure).toMatchObject({ code: "CONNECTION_UNKNOWN", message: expect.stringContaining('"erp"') });
  });
});

describe("the connection", () => {
  const urls: readonly (readonly [url: string, why: string])[] = [
    ["postgres://user@host/books", "it is no URL that begins with mssql://"],
    ["mssql://host/books", "it names no user"],
    ["mssql://user@host/books?encrypt=maybe", 'encrypt is "maybe"'],
    ["mssql://user@host/books?ssl=true", 'it has an unknown parameter "ssl"'],
  ];
  test.each(urls)("%s is refused: %s", async (url, why) => {
    const connections = { names: [], find: (name: string) => ({ name, url, password: null }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toMatchObject({
      code: "CONNECTION_URL",
      message: expect.stringContaining(why),
      hint: expect.stringContaining("encrypt=true"),
    });
  });

  test("user, password and database reach the server, and the password nothing else", async () => {
    const logins: Step[] = [];
    kind.server.interfere = (step) => void (step.kind === "login" && logins.push(step));
    const staged = await stageIn(sink, uri, numbers(1));
    expect(logins[0]).toEqual({ kind: "login", user: "sink", database: "books" });
    expect(JSON.stringify(staged)).not.toContain(password);
    await sink.discard(staged);
  });

  test("a wrong password is refused in the server's words, without it", async () => {
    const found = kind.connections.find("mssql");
    const connections = { names: [], find: () => ({ ...found, password: "wrong one" }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toBeInstanceOf(TerminalFailure);
    expect(failure).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("Login failed for user 'sink'.") });
    expect(failure.hint).toContain("password_env");
    expect(failure.message).not.toContain("wrong one");
  });

  test("a server that is not there can't be reached for now", async () => {
    const url = new URL(connectionUrl(kind.server));
    url.password = "";
    url.port = "1";
    const connections = { names: [], find: (name: string) => ({ name, url: url.href, password }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure).toMatchObject({ code: "SINK_UNREACHABLE", message: expect.stringContaining("127.0.0.1:1") });
  });
});

describe("errors by number", () => {
  const passing = [1205, 1222, 40_501, 40_613, 49_918, 701, 922];
  test.each(passing)("%i may pass", async (number) => {
    const staged = await stageIn(sink, uri, numbers(2));
    interfereOnce(statement("insert into [dbo]"), { number, message: "own words" });
    const failure = await failureOf(sink.commit(staged));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure).toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringContaining("own words"),
      data: { errorNumber: number },
    });
    await sink.commit(staged);
    expect(await kind.read(uri)).toMatchObject({ rows: 2 });
  });

  const refused: readonly (readonly [number: number, hint: string])[] = [
    [229, "Grant"],
    [262, "Grant"],
    [1105, "Free room"],
    [9002, "Free room"],
    [511, "narrower columns"],
    [2627, "Correct the table"],
    [8152, "Correct the table"],
  ];
  test.each(refused)("%i is refused: %s …", async (number, hint) => {
    const staged = await stageIn(sink, uri, numbers(2));
    interfereOnce(statement("insert into [dbo]"), { number, message: "own words" });
    const failure = await failureOf(sink.commit(staged));
    expect(failure).toBeInstanceOf(TerminalFailure);
    expect(failure).toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringContaining("own words"),
      hint: expect.stringContaining(hint),
    });
    expect(await kind.read(uri)).toMatchObject({ rows: 0 });
    await sink.discard(staged);
  });

  test("a login that is refused for the moment is tried again, one for a wrong database is not", async () => {
    interfereOnce((step) => step.kind === "login", { number: 18_401, message: "Server is in script upgrade mode." });
    expect(await failureOf(stageIn(sink, uri, numbers(1)))).toBeInstanceOf(TransientFailure);
    interfereOnce((step) => step.kind === "login", { number: 18_452, message: "The login is from an untrusted domain." });
    expect(await failureOf(stageIn(sink, uri, numbers(1)))).toMatchObject({
      code: "SINK_REFUSED",
      hint: expect.stringContaining("Windows"),
    });
  });

  test("an error amid the rows is the writer's, and nothing stays", async () => {
    interfereOnce((step) => step.kind === "rows", { number: 1105, message: "Could not allocate space for object." });
    const failure = await failureOf(stageIn(sink, uri, numbers(100_000, 10)));
    expect(failure).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("Could not allocate space") });
    expect(await kind.traces(uri)).toEqual([]);
  });
});

describe("a connection that is lost", () => {
  /** The steps that some work takes. */
  const stepsOf = async (work: () => Promise<unknown>): Promise<number> => {
    let steps = 0;
    kind.server.interfere = () => void (steps += 1);
    await work();
    kind.server.interfere = () => undefined;
    return steps;
  };
  const cutAt = (at: number, how: "cut" | "cut after"): void => {
    let steps = 0;
    kind.server.interfere = () => ((steps += 1) === at ? how : undefined);
  };
  const version = (number: number, rows: number, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> =>
    stageIn(sink, uri, numbers(rows), {
      mode: "replace",
      jobId: String(number),
      lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
      ...changes,
    });

  test.each(["cut", "cut after"] as const)(
    "at any step of a commit (%s) leaves the old result or the new one, and the next call the new one",
    { timeout: 60_000 },
    async (how) => {
      const first = await version(1, 10);
      await sink.commit(first);
      let previous = await version(2, 5);
      const steps = await stepsOf(() => sink.commit(previous, [first]));
      expect(steps).toBeGreaterThan(15);
      for (let at = 1; at <= steps; at += 1) {
        const next = await version(at + 2, at);
        cutAt(at, how);
        expect([at, (await failureOf(sink.commit(next, [previous]))).code]).toEqual([at, "SINK_UNREACHABLE"]);
        kind.server.interfere = () => undefined;
        const [before, after] = [previous, next].map(({ rowsWritten }, index) => ({ rows: rowsWritten, jobs: [String(at + 1 + index)] }));
        const { rows, jobs } = await kind.read(uri);
        expect([before, after]).toContainEqual({ rows, jobs });
        await sink.commit(next, [previous]);
        expect(await kind.read(uri)).toMatchObject(after!);
        previous = next;
      }
      expect(await kind.traces(uri)).toEqual([]);
    },
  );

  test("at any step of writing leaves nothing but what a sweep removes", { timeout: 60_000 }, async () => {
    const write = (): Promise<StagedOutput> => stageIn(sink, uri, numbers(100_000, 20), { jobId: "7" });
    let staged: StagedOutput | null = null;
    const steps = await stepsOf(async () => {
      staged = await write();
    });
    await sink.discard(staged!);
    expect(steps).toBeGreaterThan(12);
    // Statements, and packets of rows that are not all of the same size.
    for (let at = 1; at <= Math.min(steps, 40); at += 1) {
      cutAt(at, "cut");
      const failure = await failureOf(write());
      expect([at, failure.code]).toEqual([at, "SINK_UNREACHABLE"]);
      kind.server.interfere = () => undefined;
      await sink.sweep(uri, async () => false);
      expect(await kind.traces(uri)).toEqual([]);
    }
    expect(await kind.read(uri)).toMatchObject({ rows: 0 });
    expect(await sink.sweep(uri, async () => false)).toEqual([]);
  });

  test("while nothing is written is told by the next write", async () => {
    const { schema, messages } = messagesOf(numbers(100_000, 4));
    const writer = await sink.open(requestFor(schema, { uri }));
    await writer.write(messages[0]!);
    interfereOnce((step) => step.kind === "rows", "cut");
    const failure = await failureOf(
      (async () => {
        for (const message of messages.slice(1)) await writer.write(message);
        await writer.stage();
      })(),
    );
    expect(failure.code).toBe("SINK_UNREACHABLE");
    await writer.abort();
    expect(await kind.traces(uri)).toEqual([]);
  });
});

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

test("a larger load takes no more memory than a smaller one", { timeout: 120_000 }, async () => {
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
