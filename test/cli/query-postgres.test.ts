import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SinkMode } from "../../domain/topic.ts";
import { openPostgresKind, type PostgresKind } from "../sinks/postgres-target.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
let target: PostgresKind;
beforeAll(async () => {
  target = await openPostgresKind();
  fixture = await createQueryFixture();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await target?.close();
});

/** The new table that its rows go to. */
async function publish(name: string, code: string, mode: SinkMode = "append"): Promise<string> {
  const uri = target.newUri();
  await fixture.publish(name, `*.${name}`, code, { mode, uri });
  return new URL(uri).searchParams.get("table")!;
}

const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));

test("rows of a table come in the table's types, exactly", async () => {
  const code = yielding(`D = decimal.Decimal
utc = datetime.timezone.utc
yield pa.table({
  "n": pa.array([2**64 - 1, None], pa.uint64()), "big": pa.array([-(2**63), 5]), "exact": pa.array([D("1.50"), D("-0.01")], pa.decimal128(20, 2)),
  "long": pa.array([D("1" * 40), None], pa.decimal256(50, 1)), "text": pa.array(["", None]), "line": ['a,"b"\\r\\n\\\\.', "\\\\N"], "yes": [True, None],
  "moment": pa.array([datetime.datetime(2026, 11, 21, 12, 0, 0, 123456, utc), None], pa.timestamp("us", "UTC")),
  "local": pa.array([-62_167_219_200_000_000 - 1, 1], pa.timestamp("us")), "day": pa.array([-719_529, 3_000_000], pa.date32()), "bytes": pa.array([b"\\x00\\xff", b""]),
  "time": [datetime.time(1, 2, 3, 400000), None], "took": pa.array([-1_500_000, None], pa.duration("us")), "x": [float("nan"), -0.0], "f": pa.array([0.1, float("-inf")], pa.float32()),
  "tags": pa.array([['a"', None, ""], None]), "days": pa.array([[datetime.date(2026, 1, 2)], []]), "s": pa.array([{"a": 2**60, "b": [1.5]}, None]), "nothing": pa.nulls(2),
})`);
  await publish("typed", code);
  await fixture.produce("a.typed", "x");
  const columns = "n, big, exact, long, text, line, yes, moment, local, day, bytes, time, took::text as took, x, f, tags, days, s, nothing";
  const [first, second] = await fixture.rows(`select ${columns} from typed order by big`);
  expect(first).toEqual({
    n: "18446744073709551615",
    big: "-9223372036854775808",
    exact: "1.50",
    long: `${"1".repeat(40)}.0`,
    text: "",
    line: 'a,"b"\r\n\\.',
    yes: true,
    moment: "2026-11-21T12:00:00.123456Z",
    local: "-000001-12-31T23:59:59.999999",
    day: "-000001-12-31",
    bytes: "00ff",
    time: "01:02:03.4",
    took: "-00:00:01.5",
    x: "NaN",
    f: 0.1,
    tags: ['a"', null, ""],
    days: ["2026-01-02"],
    s: { a: "1152921504606846976", b: [1.5] },
    nothing: null,
  });
  expect(second).toMatchObject({
    n: null,
    text: null,
    line: "\\N",
    day: "+010183-09-21",
    bytes: "",
    took: null,
    x: -0,
    f: "-Infinity",
    days: [],
  });
  const types = await fixture.rows<{ column_name: string; column_type: string }>("describe typed");
  expect(Object.fromEntries(types.map((column) => [column.column_name, column.column_type]))).toMatchObject({
    n: "DECIMAL(20,0)",
    exact: "DECIMAL(20,2)",
    long: "VARCHAR",
    tags: "VARCHAR[]",
    days: "DATE[]",
    took: "INTERVAL",
    s: "JSON",
    _cf_job_id: "BIGINT",
    _cf_processed_at: "TIMESTAMP WITH TIME ZONE",
  });
});

describe("what is seen of a table", () => {
  test("are the committed and current rows, and of earlier times only those since which nothing was replaced", async () => {
    const table = await publish("replaced", tablePlugin, "replace");
    await fixture.produce("a.replaced", "id\n1\n");
    const before = await fixture.committedLast();
    await fixture.produce("a.replaced", "id\n2\n3\n");
    const after = await fixture.committedLast();
    await fixture.produce("b.replaced", "id\n4\n");
    await fixture.stage("a.replaced", "id\n5\n");
    await target.query(
      `insert into ${table} select 6, _cf_source_hash, _cf_job_id + 1000, _cf_file_version_id, _cf_processed_at, _cf_plugin_version from ${table}`,
    );
    const ids = async (...args: readonly string[]) =>
      (await fixture.rows<{ id: number }>("select id from replaced order by 1", ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3, 4]);
    expect(await ids("--as-of", after)).toEqual([2, 3]);
    const refused = await query("from replaced", "--as-of", before);
    expect(refused).toMatchObject({ code: "OUTPUT_REPLACED", message: expect.stringContaining("1 of the results") as string });
    const [, since] = /--as-of (\S+)\./.exec(refused.hint!)!;
    expect(await ids("--as-of", since!)).toEqual([2, 3]);
  });

  test("is refused where somebody took rows away, or the sink's mark of a result", async () => {
    const table = await publish("robbed", tablePlugin);
    await fixture.produce("a.robbed", "id\n1\n2\n");
    const job = await fixture.produce("b.robbed", "id\n3\n");
    await target.query(`delete from ${table} where id = 2`);
    expect(await query("from robbed")).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining("has 2 of the 2 current jobs where 3 were written") as string,
    });
    await target.query(`delete from _casparian.result where job_id = ${job}`);
    expect(await query("from robbed")).toMatchObject({
      code: "OUTPUT_MISSING",
      message: expect.stringContaining(`none of job ${job}`) as string,
    });
  });

  test("is none of the rows of an output that shares it with another of the same job", async () => {
    const table = await publish("pair", yielding(`yield ("left", pa.table({"n": [1]}))\nyield ("right", pa.table({"n": [2]}))`));
    for (const output of ["left", "right"])
      await fixture.jobs.database.db.query(
        "insert into cf_topic (plugin_name, output_name, uri, mode) values ('pair', $1, (select uri from cf_topic where plugin_name = 'pair' limit 1), 'append')",
        [output],
      );
    await fixture.produce("a.pair", "x");
    expect(await target.query(`select count(*) from ${table}`)).toEqual([["2"]]);
    expect(await query(`select n from pair."left"`)).toMatchObject({ code: "OUTPUT_SHARED" });
  });

  test("are all results, whichever columns they had, of the columns that they had", async () => {
    const code = yielding(
      `yield pa.table({"n": pa.array([1], pa.int16())} if text == "one" else {"m": ["x"], "n": pa.array([2], pa.int8())})`,
    );
    const table = await publish("columns", code);
    await fixture.produce("1.columns", "one");
    await fixture.produce("2.columns", "two");
    await target.query(`alter table ${table} add column foreign_one text`);
    expect(
      await fixture.rows(
        "select * exclude (_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version) from columns.columns order by n",
      ),
    ).toEqual([
      { n: 1, m: null },
      { n: 2, m: "x" },
    ]);
    await target.query(`alter table ${table} drop column m`);
    expect(await query("from columns.columns")).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining('no column "m"') as string,
    });
  });
});

describe("fetching", () => {
  test("is for the outputs that the statement names, up to a limit", async () => {
    await fixture.publish("local", "*.local", tablePlugin);
    await fixture.produce("a.local", "id\n1\n");
    await publish("remote", tablePlugin);
    await fixture.produce("a.remote", "id\n1\n2\n");
    expect(await query("from remote", "--fetch-max", "100")).toMatchObject({
      code: "QUERY_FETCH_MAX",
      message: expect.stringContaining("remote.remote") as string,
      hint: expect.stringContaining("--fetch-max") as string,
    });
    expect(await fixture.rows("select id from local", "--fetch-max", "0")).toEqual([{ id: 1 }]);
    expect(JSON.stringify(await fixture.rows("show all tables", "--fetch-max", "0"))).toContain('"local"');
    expect(await fixture.rows("select count(*) as n from remote, local")).toEqual([{ n: 2 }]);
    const listed = await fixture.rows<{ plugin: string }>("--tables");
    expect(listed.find(({ plugin }) => plugin === "remote")).toMatchObject({ rows: 2, readElsewhere: null, isFetched: true });
  });

  test("goes by connections of the configuration, whose passwords nobody sees, and says who doesn't answer", async () => {
    await publish("named", tablePlugin);
    const job = await fixture.produce("a.named", "id\n7\n");
    const { db } = fixture.jobs.database;
    await db.query(
      "update cf_job_output set sink_uri = 'postgres://lake/' || (staged ->> 'schema') || '.' || (staged ->> 'table') where job_id = $1",
      [job],
    );
    const unknown = await query("from named");
    expect(unknown).toMatchObject({ code: "CONNECTION_UNKNOWN" });
    process.env["CASPARIAN_CONNECTION_LAKE"] = target.url;
    try {
      expect(await fixture.rows("select id from named")).toEqual([{ id: 7 }]);
      const url = Object.assign(new URL(target.url), { password: "wrong-secret", port: "1" });
      process.env["CASPARIAN_CONNECTION_LAKE"] = url.href;
      const result = await fixture.query("query", "from named", "--json", "--debug");
      expect(result.stderr).toContain("SINK_UNREACHABLE");
      expect(result.stderr).toContain("connection lake");
      expect(result.stdout + result.stderr).not.toContain("wrong-secret");
    } finally {
      delete process.env["CASPARIAN_CONNECTION_LAKE"];
    }
  });
});
