import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SinkMode } from "../../domain/topic.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** Its rows go to a table of the same name, in a file of the same name. */
async function publish(name: string, code: string, mode: SinkMode = "append"): Promise<void> {
  await fixture.publish(name, `*.${name}`, code, { mode, uri: `duckdb://output/${name}.duckdb?table=main.${name}` });
}

/** As somebody would with the file. */
async function change(name: string, ...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(join(fixture.jobs.output, `${name}.duckdb`));
  const connection = await instance.connect();
  try {
    for (const statement of statements) await connection.run(statement);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));
const withoutLineage = "exclude (_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version)";

const typed = yielding(`D = decimal.Decimal
utc = datetime.timezone.utc
yield pa.table({
  "n": pa.array([2**64 - 1, None], pa.uint64()), "big": pa.array([-(2**63), 5]), "exact": pa.array([D("1.50"), D("-0.01")], pa.decimal128(20, 2)),
  "text": pa.array(["", None]), "yes": [True, None], "moment": pa.array([datetime.datetime(2026, 11, 21, 12, 0, 0, 123456, utc), None], pa.timestamp("us", "UTC")),
  "second": pa.array([-62_167_219_201, 1], pa.timestamp("s")), "milli": pa.array([-62_167_219_200_001, 1], pa.timestamp("ms")), "nano": pa.array([1, None], pa.timestamp("ns")),
  "day": pa.array([-719_529, 3_000_000], pa.date32()), "bytes": pa.array([b"\\x00\\xff", b""]), "time": pa.array([3_723_400_000_001, None], pa.time64("ns")),
  "took": pa.array([-1_500_000, None], pa.duration("us")), "long": pa.array([90_000, None], pa.duration("s")), "x": [float("nan"), -0.0],
  "f": pa.array([0.1, float("-inf")], pa.float32()), "tags": pa.array([['a"', None, ""], None]), "pair": pa.array([[1, None], None], pa.list_(pa.int16(), 2)),
  "waits": pa.array([[1_500], []], pa.list_(pa.duration("ms"))), "s": pa.array([{"a": 2**60, "b": [1.5]}, None]), "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
  "kind": pa.array(["a", None]).dictionary_encode(), "nothing": pa.nulls(2),
})`);

describe("values of a table", () => {
  test("come in the types that the same ones have in Parquet, exactly", async () => {
    await publish("typed", typed);
    await fixture.produce("a.typed", "x");
    await fixture.publish("filed", "*.filed", typed);
    await fixture.produce("a.filed", "x");
    const rows = await fixture.rows(`select * ${withoutLineage} from typed order by big`);
    expect(rows).toEqual(await fixture.rows(`select * ${withoutLineage} from filed order by big`));
    expect(rows[0]).toMatchObject({
      n: "18446744073709551615",
      second: "-000001-12-31T23:59:59",
      nano: "1970-01-01T00:00:00.000000001",
      day: "-000001-12-31",
      bytes: "00ff",
      took: -1_500_000,
      long: 90_000,
      x: "NaN",
      tags: ['a"', null, ""],
      pair: [1, null],
      waits: [1_500],
      s: { a: "1152921504606846976", b: [1.5] },
      nothing: null,
    });
    const types = `select list(column_name || ' ' || column_type) as types from (describe from %)`;
    expect(await fixture.rows(types.replace("%", "typed"))).toEqual(await fixture.rows(types.replace("%", "filed")));
  });

  test("join those of an output that went to Parquet before", async () => {
    await fixture.publish("moved", "*.moved", typed);
    await fixture.produce("a.moved", "x");
    await publish("moved", `# again\n${typed}`);
    await fixture.produce("b.moved", "x");
    expect(await fixture.rows("select count(*) as n, sum(took) as took, min(typeof(pair)) as pair from moved")).toEqual([
      { n: 4, took: -3_000_000, pair: "SMALLINT[]" },
    ]);
    expect(await fixture.rows("--tables")).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          plugin: "moved",
          sink: "duckdb://output/moved.duckdb?table=main.moved",
          readElsewhere: null,
          isFetched: true,
        }),
      ]),
    );
  });
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
    await change("replaced", "insert into replaced select * replace (6 as id, _cf_job_id + 1000 as _cf_job_id) from replaced");
    const ids = async (...args: readonly string[]) =>
      (await fixture.rows<{ id: number }>("select id from replaced order by 1", ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3, 4]);
    expect(await ids("--as-of", after)).toEqual([2, 3]);
    const refused = await query("from replaced", "--as-of", before);
    expect(refused).toMatchObject({ code: "OUTPUT_REPLACED", message: expect.stringContaining("1 of the results") as string });
    const [, since] = /--as-of (\S+)\./.exec(refused.hint!)!;
    expect(await ids("--as-of", since!)).toEqual([2, 3]);
  });

  test("is refused where somebody took rows away, or the sink's mark of a result, or the file", async () => {
    await publish("robbed", tablePlugin);
    await fixture.produce("a.robbed", "id\n1\n2\n");
    const job = await fixture.produce("b.robbed", "id\n3\n");
    await change("robbed", "delete from robbed where id = 2");
    expect(await query("from robbed")).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining("has 2 of the 2 current jobs where 3 were written") as string,
    });
    await change("robbed", `delete from _casparian.result where job_id = ${job}`);
    const missing = { code: "OUTPUT_MISSING", message: expect.stringContaining(`none of job ${job}`) as string };
    expect(await query("from robbed")).toMatchObject(missing);
    await change("robbed", "drop table robbed");
    expect(await query("from robbed")).toMatchObject({ code: "OUTPUT_MISSING" });
    await fixture.jobs.database.db.query(
      "update cf_job_output set sink_uri = replace(sink_uri, 'robbed.', 'gone.'), target = replace(target, 'robbed.', 'gone.') where job_id = $1",
      [job],
    );
    expect(await query("from robbed")).toMatchObject({ code: "OUTPUT_MISSING" });
  });

  test("is none of the rows of an output that shares it with another of the same job", async () => {
    await publish("pair", yielding(`yield ("left", pa.table({"n": [1]}))\nyield ("right", pa.table({"n": [2]}))`));
    for (const output of ["left", "right"])
      await fixture.jobs.database.db.query(
        "insert into cf_topic (plugin_name, output_name, uri, mode) values ('pair', $1, (select uri from cf_topic where plugin_name = 'pair' limit 1), 'append')",
        [output],
      );
    await fixture.produce("a.pair", "x");
    expect(await query(`select n from pair."left"`)).toMatchObject({
      code: "OUTPUT_SHARED",
      hint: expect.stringContaining("topic set PLUGIN OUTPUT duckdb://") as string,
    });
  });

  test("are all results, whichever columns they had, of the columns that they had", async () => {
    const code = yielding(
      `yield pa.table({"n": pa.array([1], pa.int16())} if text == "one" else {"m": ["x"], "N": pa.array([2], pa.int8())})`,
    );
    await publish("columns", code);
    await fixture.produce("1.columns", "one");
    await fixture.produce("2.columns", "two");
    await change("columns", "alter table columns add column foreign_one text");
    const shown = await fixture.rows(`select * ${withoutLineage} from columns.columns order by n`);
    expect(shown).toEqual([
      { n: 1, m: null },
      { n: 2, m: "x" },
    ]);
    await change("columns", "alter table columns drop column m");
    expect(await query("from columns.columns")).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining('no column "m"') as string,
    });
  });
});
