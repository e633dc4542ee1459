import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf } from "../support/command.ts";
import { runPython } from "../support/python.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

describe("files whose columns differ", () => {
  test("are one view: what a file lacks is null, and types widen where every value stays what it is", async () => {
    const code = yielding(`a, b = pa.array([1, None], pa.int32()), pa.array(["x", "y"])
if text == "one": yield pa.table({"n": a, "Only": b, "v": pa.array([1, 2], pa.int64()), "nothing": pa.nulls(2)})
if text == "two": yield pa.table({"v": pa.array([0.5, 1.5]), "n": pa.array([2**40, 0], pa.int64()), "nothing": ["now", "something"]})
if text == "three": yield pa.table({"N": pa.array([3], pa.int8()), "n": pa.array([4], pa.int8())})`);
    await fixture.publish("differs", "*.differs", code);
    await fixture.produce("1.differs", "one");
    await fixture.produce("2.differs", "two");
    expect(
      await fixture.rows(
        "select * exclude (_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version) from differs.differs",
      ),
    ).toEqual([
      { n: 1, Only: "x", v: 1, nothing: null },
      { n: null, Only: "y", v: 2, nothing: null },
      { n: 2 ** 40, Only: null, v: 0.5, nothing: "now" },
      { n: 0, Only: null, v: 1.5, nothing: "something" },
    ]);
    await fixture.produce("3.differs", "three");
    expect(await fixture.rows(`select n, "N_2" from differs.differs where "N_2" is not null`)).toEqual([{ n: 4, N_2: 3 }]);
  });

  test("are refused where no type holds both, by column and job, unless they are wanted as text", async () => {
    const code = yielding(`yield pa.table({"amount": [int(text)] if text.isdigit() else [text]})`);
    await fixture.publish("clash", "*.clash", code);
    const jobs = [await fixture.produce("1.clash", "12"), await fixture.produce("2.clash", "n/a")];
    const refused = failureOf(await fixture.query("query", "from clash.clash", "--json"));
    expect(refused).toMatchObject({ code: "OUTPUT_TYPES_CLASH", hint: expect.stringContaining("--mixed-as-text") as string });
    for (const part of ['"amount"', "BIGINT", "VARCHAR", ...jobs.map((id) => `job ${id}`)]) expect(refused.message).toContain(part);
    expect(await fixture.rows("select amount from clash.clash order by 1", "--mixed-as-text")).toEqual([
      { amount: "12" },
      { amount: "n/a" },
    ]);
  });

  test("are refused where a whole number is none of the doubles beside it", async () => {
    const code = yielding(`yield pa.table({"n": [int(text)] if text.isdigit() else [float(text)]})`);
    await fixture.publish("beyond", "*.beyond", code);
    await fixture.produce("1.beyond", "9007199254740993");
    await fixture.produce("2.beyond", "0.5");
    expect(failureOf(await fixture.query("query", "select n from beyond.beyond", "--json")).message).toContain("beyond 2^53");
    expect(await fixture.rows("select n from beyond.beyond order by n", "--mixed-as-text")).toEqual([
      { n: "0.5" },
      { n: "9007199254740993" },
    ]);
  });
});

describe("values", () => {
  const code = yielding(`D = decimal.Decimal
utc = datetime.timezone.utc
yield pa.table({
  "big": pa.array([2**63 - 1, -5], pa.int64()), "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
  "exact": pa.array([D("12345678901234567890.123456789012345678"), D("-0.000000000000000001")], pa.decimal128(38, 18)),
  "moment": pa.array([datetime.datetime(2026, 11, 21, 12, 0, 0, 123456, utc), None], pa.timestamp("us", "Europe/Berlin")),
  "local": pa.array([1, 1_500_000_000], pa.timestamp("ns")), "day": pa.array([datetime.date(1969, 12, 31), None]),
  "time": pa.array([datetime.time(1, 2, 3, 400000), None], pa.time64("us")), "x": pa.array([float("nan"), float("-inf")]), "f": pa.array([0.1, -0.0], pa.float32()),
  "nested": pa.array([{"a": [1, None], "b": "q\\"uote"}, None], pa.struct([("a", pa.list_(pa.int64())), ("b", pa.string())])),
  "map": pa.array([[("k", 2**60)], []], pa.map_(pa.string(), pa.int64())), "bytes": pa.array([b"\\x00\\xff", b""]), "yes": [True, None], "text": ['a,"b\\n', ""],
})`);
  const columns = "big, unsigned, exact, moment, local, day, time, x, f, nested, map, bytes, yes, text";

  test("are exact in JSON", async () => {
    await fixture.publish("values", "*.values", code);
    await fixture.produce("a.values", "x");
    expect(await fixture.rows(`select ${columns} from values.values`)).toEqual([
      {
        big: "9223372036854775807",
        unsigned: "18446744073709551615",
        exact: "12345678901234567890.123456789012345678",
        moment: "2026-11-21T12:00:00.123456Z",
        local: "1970-01-01T00:00:00.000000001",
        day: "1969-12-31",
        time: "01:02:03.4",
        x: "NaN",
        f: 0.1,
        nested: { a: [1, null], b: 'q"uote' },
        map: [{ key: "k", value: "1152921504606846976" }],
        bytes: "00ff",
        yes: true,
        text: 'a,"b\n',
      },
      {
        big: -5,
        unsigned: null,
        exact: "-0.000000000000000001",
        moment: null,
        local: "1970-01-01T00:00:01.5",
        day: null,
        time: null,
        x: "-Infinity",
        f: -0,
        nested: null,
        map: [],
        bytes: "",
        yes: null,
        text: "",
      },
    ]);
  });

  test("are exact in CSV, where null and empty text differ", async () => {
    const { stdout } = await fixture.query("query", `select ${columns} from values.values`, "--format", "csv");
    expect(stdout.split("\n").slice(1)).toEqual([
      `9223372036854775807,18446744073709551615,12345678901234567890.123456789012345678,2026-11-21T12:00:00.123456Z,1970-01-01T00:00:00.000000001,` +
        `1969-12-31,01:02:03.4,NaN,0.1,"{""a"":[1,null],""b"":""q\\""uote""}","[{""key"":""k"",""value"":""1152921504606846976""}]",00ff,true,"a,""b`,
      `"`,
      `-5,,-0.000000000000000001,,1970-01-01T00:00:01.5,,,-Infinity,-0,,[],"",,""`,
    ]);
  });

  test("are the same in a Parquet file, read by pyarrow", async () => {
    const file = join(fixture.home, "values.parquet");
    expect(await fixture.query.json("query", "select big, exact, moment, text from values.values", "--output", file)).toEqual({
      file,
      format: "parquet",
      rows: 2,
    });
    const script =
      "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); print([str(f.type) for f in t.schema]); print(t.to_pylist()[0])";
    const stdout = await runPython(script, [file]);
    expect(stdout).toContain("['int64', 'decimal128(38, 18)', 'timestamp[us, tz=UTC]', 'string']");
    expect(stdout).toContain("9223372036854775807");
    expect(stdout).toContain("Decimal('12345678901234567890.123456789012345678')");
  });

  test("stay apart where columns have one name", async () => {
    expect(await fixture.rows("select 1 as a, 2 as a, 3 as a_2")).toEqual([{ a: 1, a_3: 2, a_2: 3 }]);
  });
});
