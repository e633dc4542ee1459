import { copyFile, mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf } from "../support/command.ts";
import { readResults } from "../support/parquet.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

test("without outputs, it says so", async () => {
  expect(await fixture.rows("--tables")).toEqual([]);
  expect((await fixture.query("query", "--tables")).stdout).toContain("No job has put out rows yet");
  expect(await fixture.rows("select 1 as one")).toEqual([{ one: 1 }]);
  const unknown = await fixture.query("query", "from trades", "--json");
  expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
  expect(failureOf(unknown)).toMatchObject({
    code: "UNKNOWN_OUTPUT",
    hint: expect.stringContaining("No job has put out rows yet") as string,
  });
});

describe("what a view holds", () => {
  test("committed results, and neither staged ones nor files that the record doesn't know", async () => {
    await fixture.publish("append", "*.append", tablePlugin);
    const [a, b] = [await fixture.produce("a.append", "id\n1\n2\n"), await fixture.produce("b.append", "id\n3\n")];
    await fixture.stage("c.append", "id\n4\n");
    const folder = join(fixture.jobs.output, "append");
    const [first] = await readdir(folder).then((names) => names.filter((name) => name.endsWith(".parquet")));
    await copyFile(join(folder, first!), join(folder, "foreign.parquet"));
    expect((await readResults(folder)).length).toBe(3);
    expect(await fixture.rows("select id, _cf_job_id as job from append.append order by id")).toEqual([
      { id: 1, job: Number(a) },
      { id: 2, job: Number(a) },
      { id: 3, job: Number(b) },
    ]);
    expect(await fixture.rows("--tables")).toMatchObject([
      {
        plugin: "append",
        output: "append",
        view: "append.append",
        shortView: "append",
        files: 2,
        rows: 3,
        mode: "append",
        readElsewhere: null,
      },
    ]);
  });

  test.each(["replace", "overwrite"] as const)("with %s what is current, and with --as-of what was then", async (mode) => {
    await fixture.publish(mode, `*.${mode}`, tablePlugin, { mode });
    const first = await fixture.produce(`a.${mode}`, "id\n1\n");
    const before = await fixture.committedLast();
    const other = mode === "replace" ? "a" : "b";
    const next = await fixture.produce(`${other}.${mode}`, "id\n2\n3\n");
    expect((await fixture.query("lineage", "--row", `job=${first}`)).stdout).toContain(`by job ${next}; casparian query --as-of`);
    const after = await fixture.committedLast();
    const ids = async (...args: readonly string[]) =>
      (await fixture.rows<{ id: number }>(`select id from ${mode}.${mode} order by 1`, ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3]);
    expect(await ids("--as-of", before)).toEqual([1]);
    expect(await ids("--as-of", after)).toEqual([2, 3]);
    expect(await ids("--as-of", "0s")).toEqual([2, 3]);
    expect(failureOf(await fixture.query("query", `from ${mode}.${mode}`, "--as-of", "2h", "--json")).code).toBe("OUTPUT_EMPTY");
    expect(await fixture.rows("--tables", "--as-of", before)).toEqual(
      expect.arrayContaining([expect.objectContaining({ plugin: mode, files: 1, rows: 1 })]),
    );
  });

  test("the result that the record says, where another of the same size has its name and is not committed yet", async () => {
    await fixture.publish("swapped", "*.swapped", tablePlugin, { mode: "replace" });
    await fixture.produce("a.swapped", "id\n1\n");
    const next = await fixture.stage("a.swapped", "id\n2\n");
    const [entry] = (
      await fixture.jobs.database.db.query<{ staged: { name: string; target: string } }>(
        "select staged from cf_job_output where job_id = $1",
        [next],
      )
    ).rows;
    const folder = join(fixture.jobs.output, "swapped");
    // What a worker does that dies between the rename and the record's commit.
    const kept = await fixture.jobs.database.db.query<{ name: string }>(
      "select staged ->> 'name' as name from cf_job_output where staged ->> 'target' = $1 and state = 'COMMITTED'",
      [entry!.staged.target],
    );
    await mkdir(join(folder, "_casparian_replaced"), { recursive: true });
    await copyFile(
      join(folder, entry!.staged.target),
      join(folder, "_casparian_replaced", kept.rows[0]!.name.replace(/\.staged$/, ".replaced")),
    );
    await rename(join(folder, "_casparian_staging", entry!.staged.name), join(folder, entry!.staged.target));
    expect(await fixture.rows("select id from swapped.swapped")).toEqual([{ id: 1 }]);
    await fixture.commit(next);
    expect(await fixture.rows("select id from swapped.swapped")).toEqual([{ id: 2 }]);
  });

  test("nothing else in the world", async () => {
    await writeFile(join(fixture.home, "secret.csv"), "a\n1\n");
    const staged = await readdir(join(fixture.jobs.output, "append", "_casparian_staging"));
    const refused = [
      `from '${join(fixture.home, "secret.csv")}'`,
      `from read_parquet('${join(fixture.jobs.output, "append", "_casparian_staging", staged[0]!)}')`,
      `from read_text('/etc/passwd')`,
      `select * from append.append, read_csv('${join(fixture.home, "secret.csv")}')`,
      `from 'https://example.com/a.parquet'`,
      `from glob('/*')`,
    ];
    for (const statement of refused) {
      const result = await fixture.query("query", statement, "--json");
      expect(result, statement).toMatchObject({ exitCode: 1, stdout: "" });
      expect(["QUERY_REFUSED", "QUERY_FAILED", "UNKNOWN_OUTPUT"], result.stderr).toContain(failureOf(result).code);
    }
    const writes = [
      "copy append.append to 'x.csv'",
      "attach 'x.db'",
      "install httpfs",
      "load httpfs",
      "set enable_external_access = true",
      "create table t as select 1",
    ];
    for (const statement of writes) expect((await fixture.query("query", statement)).exitCode, statement).toBeGreaterThan(0);
    expect(await readdir(fixture.home)).not.toContain("x.csv");
  });
});

describe("names", () => {
  test("that are reserved words, differ by case only, or are shared by plugins", async () => {
    const both = yielding(
      `yield ("select", pa.table({"n": [1]}))\nyield ("Trades", pa.table({"n": [2]}))\nyield ("trades", pa.table({"n": [3]}))\nyield ("a.b-c", pa.table({"n": [4]}))\nyield ("append", pa.table({"n": [5]}))`,
    );
    await fixture.jobs.publish("temp", `# temp\n${both}`, "*.names");
    await fixture.produce("a.names", "x");
    const listed = await fixture.rows<{ plugin: string; output: string; view: string; shortView: string | null }>("--tables");
    expect(listed.filter(({ plugin }) => plugin === "temp").map(({ output, view, shortView }) => [output, view, shortView])).toEqual([
      ["Trades", "temp_2.Trades", null],
      ["a.b-c", 'temp_2."a.b-c"', '"a.b-c"'],
      ["append", "temp_2.append", null],
      ["select", 'temp_2."select"', '"select"'],
      ["trades", "temp_2.trades_2", null],
    ]);
    const ns = ['"select"', "temp_2.trades", "temp_2.Trades_2", '"a.b-c"'];
    for (const [i, name] of ns.entries()) expect(await fixture.rows(`select n from ${name}`)).toEqual([{ n: i + 1 }]);
    const ambiguous = await fixture.query("query", "from append", "--json");
    expect(ambiguous.exitCode).toBe(2);
    expect(failureOf(ambiguous)).toMatchObject({ message: expect.stringContaining("outputs are named append") as string });
    expect(failureOf(ambiguous).hint).toContain("append.append");
    expect(failureOf(await fixture.query("query", "from trades", "--json")).hint).toContain("temp_2.trades_2");
    expect(failureOf(await fixture.query("query", "from append.appendix", "--json"))).toMatchObject({ code: "UNKNOWN_OUTPUT" });
  });

  test("of tables that a statement makes itself, and lists of tables", async () => {
    expect(await fixture.rows("with append as (select 7 as n) from append")).toEqual([{ n: 7 }]);
    expect(await fixture.rows("describe append.append")).toMatchObject([{ column_name: "id", column_type: "BIGINT" }, {}, {}, {}, {}, {}]);
    expect(JSON.stringify(await fixture.rows("show all tables"))).toContain('"append"');
    expect(await fixture.rows("pivot append.append on id using count(*) group by _cf_job_id")).toHaveLength(2);
    expect((await fixture.rows("explain from append.append")).length).toBeGreaterThan(0);
  });
});
