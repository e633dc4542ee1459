import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { SinkMode } from "../../domain/topic.ts";
import { openMssqlKind, password, type MssqlKind } from "../sinks/mssql-target.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let fixture: QueryFixture;
let target: MssqlKind;
beforeAll(async () => {
  target = await openMssqlKind();
  fixture = await createQueryFixture({ connections: target.connections });
});
afterEach(() => {
  target.server.interfere = () => undefined;
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await target?.close();
});

/** Its rows go to a table of the same name. */
async function publish(name: string, code: string, mode: SinkMode = "append"): Promise<void> {
  await fixture.publish(name, `*.${name}`, code, { mode, uri: `mssql://${name}` });
}

const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));
const withoutLineage = "exclude (_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version)";

const typed = yielding(`D = decimal.Decimal
utc = datetime.timezone.utc
yield pa.table({
  "n": pa.array([2**64 - 1, None], pa.uint64()), "big": pa.array([-(2**63), 5]), "small": pa.array([255, 0], pa.uint8()),
  "exact": pa.array([D("12345678901234567890123456789012345.678"), D("-0.010")], pa.decimal128(38, 3)), "text": pa.array(["", None]),
  "line": ['a,"b"\\r\\n\\\\.', "\\\\N"], "yes": [True, False], "moment": pa.array([datetime.datetime(2026, 11, 21, 12, 0, 0, 123456, utc), None], pa.timestamp("us", "UTC")),
  "second": pa.array([-1, 1], pa.timestamp("s")), "nano": pa.array([100, None], pa.timestamp("ns")), "zoned": pa.array([100, None], pa.timestamp("ns", "UTC")),
  "day": pa.array([-719_162, 3_000], pa.date32()), "bytes": pa.array([b"\\x00\\xff", b""]), "two": pa.array([b"ab", None], pa.binary(2)),
  "time": pa.array([3_723_400_000_100, None], pa.time64("ns")), "took": pa.array([-1_500_000, None], pa.duration("us")),
  "x": [0.1, -0.0], "huge": [1.7976931348623157e308, 5e-300], "f": pa.array([0.1, -3.4e38], pa.float32()), "tags": pa.array([['a"', None, ""], None]),
  "days": pa.array([[datetime.date(2026, 1, 2)], []]), "s": pa.array([{"a": 2**60, "b": [1.5]}, None]), "nothing": pa.nulls(2),
})`);

test("values of a table come in the types of the record, exactly", async () => {
  await publish("typed", typed);
  await fixture.produce("a.typed", "x");
  await fixture.publish("filed", "*.filed", typed, { uri: "csv://output/filed" });
  await fixture.produce("a.filed", "x");
  const rows = await fixture.rows(`select * ${withoutLineage} from typed order by big`);
  expect(rows).toEqual(await fixture.rows(`select * ${withoutLineage} from filed order by big`));
  expect(rows[0]).toMatchObject({
    n: "18446744073709551615",
    exact: "12345678901234567890123456789012345.678",
    text: "",
    line: 'a,"b"\r\n\\.',
    second: "1969-12-31T23:59:59",
    nano: "1970-01-01T00:00:00.0000001",
    day: "0001-01-01",
    bytes: "00ff",
    took: -1_500_000,
    huge: 1.797_693_134_862_315_7e308,
    days: ["2026-01-02"],
    s: { a: "1152921504606846976", b: [1.5] },
    nothing: null,
  });
  expect(rows[1]).toMatchObject({ text: null, x: -0, line: "\\N", bytes: "", took: null });
});

describe("what is seen of a table", () => {
  test("are the committed and current rows, and of earlier times only those since which nothing was replaced", async () => {
    await publish("replaced", tablePlugin, "replace");
    await fixture.produce("a.replaced", "id\n1\n");
    const before = await fixture.committedLast();
    await fixture.produce("a.replaced", "id\n2\n3\n");
    const after = await fixture.committedLast();
    await fixture.produce("b.replaced", "id\n4\n");
    await fixture.stage("a.replaced", "id\n5\n");
    await target.query(
      `insert into dbo.replaced select 6, _cf_source_hash, _cf_job_id + 1000, _cf_file_version_id, _cf_processed_at, _cf_plugin_version from dbo.replaced`,
    );
    const ids = async (...args: readonly string[]) =>
      (await fixture.rows<{ id: number }>("select id from replaced order by 1", ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3, 4]);
    expect(await ids("--as-of", after)).toEqual([2, 3]);
    expect(await query("from replaced", "--as-of", before)).toMatchObject({ code: "OUTPUT_REPLACED" });
  });

  test("is refused where somebody took rows away, or the sink's mark of a result", async () => {
    await publish("robbed", tablePlugin);
    await fixture.produce("a.robbed", "id\n1\n2\n");
    const job = await fixture.produce("b.robbed", "id\n3\n");
    await target.query("delete from dbo.robbed where id = 2");
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
    await publish("pair", yielding(`yield ("left", pa.table({"n": [1]}))\nyield ("right", pa.table({"n": [2]}))`));
    for (const output of ["left", "right"])
      await fixture.jobs.database.db.query(
        "insert into cf_topic (plugin_name, output_name, uri, mode) values ('pair', $1, (select uri from cf_topic where plugin_name = 'pair' limit 1), 'append')",
        [output],
      );
    await fixture.produce("a.pair", "x");
    expect(await query(`select n from pair."left"`)).toMatchObject({ code: "OUTPUT_SHARED" });
  });

  test("are all results, of the columns that they had", async () => {
    const code = yielding(
      `yield pa.table({"n": pa.array([1], pa.int16())} if text == "one" else {"m": ["x"], "n": pa.array([2], pa.int16())})`,
    );
    await publish("columns", code);
    await fixture.produce("1.columns", "one");
    await fixture.produce("2.columns", "two");
    await target.query("alter table dbo.columns add column foreign_one text");
    const shown = await fixture.rows(`select * ${withoutLineage} from columns.columns order by n`);
    expect(shown).toEqual([
      { n: 1, m: null },
      { n: 2, m: "x" },
    ]);
    await target.query("alter table dbo.columns drop column m");
    expect(await query("from columns.columns")).toMatchObject({ code: "OUTPUT_CHANGED" });
  });
});

describe("fetching", () => {
  test("streams any number of rows, up to a limit", async () => {
    await publish("many", yielding(`yield pa.table({"n": pa.array(range(int(text)), pa.int64()), "t": ["x" * 100] * int(text)})`));
    await fixture.produce("a.many", "20000");
    expect(await fixture.rows("select count(*) as n, sum(n) as total, min(length(t)) as l from many")).toEqual([
      { n: 20_000, total: 199_990_000, l: 100 },
    ]);
    expect(await query("from many", "--fetch-max", "1MB")).toMatchObject({ code: "QUERY_FETCH_MAX" });
  });

  test("says that the connection was lost, and whose it is", async () => {
    await publish("lost", tablePlugin);
    await fixture.produce("a.lost", "id\n1\n");
    target.server.interfere = (step) => (step.kind === "statement" && step.sql.includes("where [_cf_job_id] in") ? "cut" : undefined);
    const result = await fixture.query("query", "from lost", "--json", "--debug");
    expect(result.stderr).toContain("SINK_UNREACHABLE");
    expect(result.stderr).toContain("connection mssql");
    expect(result.stdout + result.stderr).not.toContain(password);
  });
});
