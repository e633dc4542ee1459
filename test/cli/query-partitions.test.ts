import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SinkMode } from "../../domain/topic.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";

let fixture: QueryFixture;
beforeAll(async () => {
  fixture = await createQueryFixture();
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const rows: QueryFixture["rows"] = (...args) => fixture.rows(...args);
const produce: QueryFixture["produce"] = (...args) => fixture.produce(...args);

/** Publishes a plugin that yields the table that the Python text makes, partitioned by these columns. */
function publish(name: string, columns: string, body: string, mode: SinkMode = "append"): Promise<void> {
  const uri = `parquet://output/${name}?partition=${columns}`;
  return fixture.publish(name, `*.${name}`, yielding(body).replace(`"output"`, `"${name}"`), { uri, mode });
}

test("columns of folders have the plugin's types and values, in the plugin's order", async () => {
  await publish(
    "typed",
    "s,d,u,b",
    `s = ["a/b=%", "NULL", "", None, "007", "ü 数据"]
d = [datetime.date(2026, 1, 2), None, datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1969, 12, 31), datetime.date(2000, 2, 29)]
u = pa.array([2**64 - 1, 0, None, 1, 2, 3], pa.uint64())
b = [True, False, None, True, True, False]
yield pa.table({"s": s, "n": [1, 2, 3, 4, 5, 6], "d": d, "u": u, "b": b})`,
  );
  await produce("one.typed", "");
  const found = await rows("select s, d, u, b, n, typeof(d) as dt, typeof(u) as ut from typed order by n");
  expect(found.map(({ s }) => s)).toEqual(["a/b=%", "NULL", "", null, "007", "ü 数据"]);
  expect(found.map(({ d }) => d)).toEqual(["2026-01-02", null, "0001-01-01", "9999-12-31", "1969-12-31", "2000-02-29"]);
  expect(found.map(({ b }) => b)).toEqual([true, false, null, true, true, false]);
  expect(found[0]).toMatchObject({ dt: "DATE", ut: "UBIGINT" });
  expect(await rows("select count(*) as rows from typed where u = 18446744073709551615 and s = 'a/b=%'")).toEqual([{ rows: 1 }]);
  expect(Object.keys((await rows("from typed limit 1"))[0]!).slice(0, 5)).toEqual(["s", "n", "d", "u", "b"]);
});

test("results without rows, and of other partitions, are of the same view", async () => {
  await publish(
    "sparse",
    "k",
    `yield pa.table({"k": pa.array(text.split(), pa.string()), "n": pa.array([1] * len(text.split()), pa.int8())})`,
  );
  await produce("none.sparse", "");
  expect(await rows("from sparse")).toEqual([]);
  await produce("two.sparse", "x y");
  expect(await rows("select k, n, typeof(n) as t from sparse order by k")).toEqual([
    { k: "x", n: 1, t: "TINYINT" },
    { k: "y", n: 1, t: "TINYINT" },
  ]);
});

test("what was replaced is there with --as-of, and a file of a result leads to its job", async () => {
  await publish("kept", "k", `yield pa.table({"k": text.split(), "n": [len(text)] * len(text.split())})`, "replace");
  const first = await produce("a.kept", "x y");
  const then = await fixture.committedLast();
  const second = await produce("a.kept", "y zz w");
  const jobs = "select k, _cf_job_id::varchar as job from kept order by k";
  expect(await rows(jobs)).toEqual(["w", "y", "zz"].map((k) => ({ k, job: second })));
  expect(await rows(jobs, "--as-of", then)).toEqual(["x", "y"].map((k) => ({ k, job: first })));

  const folder = join(fixture.home, "output/kept");
  const [result] = (await readdir(folder)).filter((name) => name.startsWith("cf_result="));
  const attempt = (await readdir(join(folder, result!))).find((name) => name.startsWith("cf_attempt="));
  const file = join(folder, result!, attempt!, "k=zz/rows.parquet");
  const lineage = await fixture.query.json<readonly { readonly jobs: readonly { readonly job: { readonly id: string } }[] }[]>(
    "lineage",
    file,
  );
  expect(lineage.flatMap((version) => version.jobs.map(({ job }) => job.id))).toContain(second);
  expect((await fixture.query("lineage", "--job", second)).stdout).toContain(join(folder, result!));

  await rename(file, join(fixture.home, "away"));
  const missing = await fixture.query("query", "from kept", "--json");
  expect(failureOf(missing)).toMatchObject({ code: "OUTPUT_CHANGED", message: expect.stringContaining(result!) as string });
  await writeFile(file, "another");
  expect(failureOf(await fixture.query("query", "from kept", "--json"))).toMatchObject({ code: "OUTPUT_CHANGED" });
});
