import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { upsertTopic } from "../../db/topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import "../support/quiet-temporal.ts";
import { commandOn, failureOf, runCommand, type RecordCommand } from "../support/command.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { csvPlugin } from "../support/samples.ts";
import { testTools } from "../support/tools.ts";

let fixture: JobFixture;
let query: RecordCommand;
let home: string;
beforeAll(async () => {
  fixture = await createJobFixture();
  home = fixture.folder;
  query = commandOn(home, fixture.database.url);
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

async function publish(name: string, pattern: string, code: string, topic: { output?: string; mode?: SinkMode; uri?: string } = {}) {
  await fixture.publish(name, `# ${name}\n${code}`, pattern);
  const { output = name, mode = "append", uri = `parquet://output/${name}` } = topic;
  await upsertTopic(fixture.database.db, name, output, { uri, mode });
}

async function stage(file: string, content: string): Promise<string> {
  const fileVersionId = await fixture.record(file, content);
  const jobId = (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!.jobId;
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toMatchObject({ outcome: "STAGED" });
  return jobId;
}

const commit = (jobId: string) => act(fixture.activities.commitJob, { jobId, attempt: 1 });

async function produce(file: string, content: string): Promise<string> {
  const jobId = await stage(file, content);
  expect(await commit(jobId)).toEqual({ state: "COMPLETED" });
  return jobId;
}

const rows = <T = Record<string, unknown>>(...args: readonly string[]): Promise<readonly T[]> => query.json<T[]>("query", ...args);

/** Yields the tables that the Python text makes, with pa at hand. */
const yielding = (body: string): string => `import pyarrow as pa
import decimal, datetime
MANIFEST = {"pattern": "*.none", "topic": "output"}
class Handler:
    def execute(self, file_path):
        text = open(file_path).read().strip()
${body.replaceAll(/^/gm, "        ")}
`;

test("without outputs, it says so", async () => {
  expect(await rows("--tables")).toEqual([]);
  expect((await query("query", "--tables")).stdout).toContain("No job has put out rows yet");
  expect(await rows("select 1 as one")).toEqual([{ one: 1 }]);
  const unknown = await query("query", "from trades", "--json");
  expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
  expect(failureOf(unknown)).toMatchObject({
    code: "UNKNOWN_OUTPUT",
    hint: expect.stringContaining("No job has put out rows yet") as string,
  });
});

describe("what a view holds", () => {
  test("committed results, and neither staged ones nor files that the record doesn't know", async () => {
    await publish("append", "*.append", csvPlugin);
    const [a, b] = [await produce("a.append", "id\n1\n2\n"), await produce("b.append", "id\n3\n")];
    await stage("c.append", "id\n4\n");
    const folder = join(fixture.output, "append");
    const [first] = await readdir(folder).then((names) => names.filter((name) => name.endsWith(".parquet")));
    await copyFile(join(folder, first!), join(folder, "foreign.parquet"));
    expect((await readResults(folder)).length).toBe(3);
    expect(await rows("select id, _cf_job_id as job from append.append order by id")).toEqual([
      { id: 1, job: Number(a) },
      { id: 2, job: Number(a) },
      { id: 3, job: Number(b) },
    ]);
    expect(await rows("--tables")).toMatchObject([
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
    await publish(mode, `*.${mode}`, csvPlugin, { mode });
    const first = await produce(`a.${mode}`, "id\n1\n");
    const before = await committedLast();
    const other = mode === "replace" ? "a" : "b";
    const next = await produce(`${other}.${mode}`, "id\n2\n3\n");
    expect((await query("lineage", "--row", `job=${first}`)).stdout).toContain(`by job ${next}; casparian query --as-of`);
    const after = await committedLast();
    const ids = async (...args: readonly string[]) =>
      (await rows<{ id: number }>(`select id from ${mode}.${mode} order by 1`, ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3]);
    expect(await ids("--as-of", before)).toEqual([1]);
    expect(await ids("--as-of", after)).toEqual([2, 3]);
    expect(await ids("--as-of", "0s")).toEqual([2, 3]);
    expect(failureOf(await query("query", `from ${mode}.${mode}`, "--as-of", "2h", "--json")).code).toBe("OUTPUT_EMPTY");
    expect(await rows("--tables", "--as-of", before)).toEqual(
      expect.arrayContaining([expect.objectContaining({ plugin: mode, files: 1, rows: 1 })]),
    );
  });

  test("the result that the record says, where another of the same size has its name and is not committed yet", async () => {
    await publish("swapped", "*.swapped", csvPlugin, { mode: "replace" });
    await produce("a.swapped", "id\n1\n");
    const next = await stage("a.swapped", "id\n2\n");
    const [entry] = (
      await fixture.database.db.query<{ staged: { name: string; target: string } }>("select staged from cf_job_output where job_id = $1", [
        next,
      ])
    ).rows;
    const folder = join(fixture.output, "swapped");
    // What a worker does that dies between the rename and the record's commit.
    const kept = await fixture.database.db.query<{ name: string }>(
      "select staged ->> 'name' as name from cf_job_output where staged ->> 'target' = $1 and state = 'COMMITTED'",
      [entry!.staged.target],
    );
    await mkdir(join(folder, "_casparian_replaced"), { recursive: true });
    await copyFile(
      join(folder, entry!.staged.target),
      join(folder, "_casparian_replaced", kept.rows[0]!.name.replace(/\.staged$/, ".replaced")),
    );
    await rename(join(folder, "_casparian_staging", entry!.staged.name), join(folder, entry!.staged.target));
    expect(await rows("select id from swapped.swapped")).toEqual([{ id: 1 }]);
    await commit(next);
    expect(await rows("select id from swapped.swapped")).toEqual([{ id: 2 }]);
  });

  test("nothing else in the world", async () => {
    await writeFile(join(home, "secret.csv"), "a\n1\n");
    const staged = await readdir(join(fixture.output, "append", "_casparian_staging"));
    const refused = [
      `from '${join(home, "secret.csv")}'`,
      `from read_parquet('${join(fixture.output, "append", "_casparian_staging", staged[0]!)}')`,
      `from read_text('/etc/passwd')`,
      `select * from append.append, read_csv('${join(home, "secret.csv")}')`,
      `from 'https://example.com/a.parquet'`,
      `from glob('/*')`,
    ];
    for (const statement of refused) {
      const result = await query("query", statement, "--json");
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
    for (const statement of writes) expect((await query("query", statement)).exitCode, statement).toBeGreaterThan(0);
    expect(await readdir(home)).not.toContain("x.csv");
  });

  /** With all digits. */
  async function committedLast(): Promise<string> {
    const { rows: found } = await fixture.database.db.query<{ at: string }>(
      `select to_char(max(committed_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from cf_job_output`,
    );
    return found[0]!.at;
  }
});

describe("names", () => {
  test("that are reserved words, differ by case only, or are shared by plugins", async () => {
    const both = yielding(
      `yield ("select", pa.table({"n": [1]}))\nyield ("Trades", pa.table({"n": [2]}))\nyield ("trades", pa.table({"n": [3]}))\nyield ("a.b-c", pa.table({"n": [4]}))\nyield ("append", pa.table({"n": [5]}))`,
    );
    await fixture.publish("temp", `# temp\n${both}`, "*.names");
    await produce("a.names", "x");
    const listed = await rows<{ plugin: string; output: string; view: string; shortView: string | null }>("--tables");
    expect(listed.filter(({ plugin }) => plugin === "temp").map(({ output, view, shortView }) => [output, view, shortView])).toEqual([
      ["Trades", "temp_2.Trades", null],
      ["a.b-c", 'temp_2."a.b-c"', '"a.b-c"'],
      ["append", "temp_2.append", null],
      ["select", 'temp_2."select"', '"select"'],
      ["trades", "temp_2.trades_2", null],
    ]);
    const ns = ['"select"', "temp_2.trades", "temp_2.Trades_2", '"a.b-c"'];
    for (const [i, name] of ns.entries()) expect(await rows(`select n from ${name}`)).toEqual([{ n: i + 1 }]);
    const ambiguous = await query("query", "from append", "--json");
    expect(ambiguous.exitCode).toBe(2);
    expect(failureOf(ambiguous)).toMatchObject({ message: expect.stringContaining("outputs are named append") as string });
    expect(failureOf(ambiguous).hint).toContain("append.append");
    expect(failureOf(await query("query", "from trades", "--json")).hint).toContain("temp_2.trades_2");
    expect(failureOf(await query("query", "from append.appendix", "--json"))).toMatchObject({ code: "UNKNOWN_OUTPUT" });
  });

  test("of tables that a statement makes itself, and lists of tables", async () => {
    expect(await rows("with append as (select 7 as n) from append")).toEqual([{ n: 7 }]);
    expect(await rows("describe append.append")).toMatchObject([{ column_name: "id", column_type: "BIGINT" }, {}, {}, {}, {}, {}]);
    expect(JSON.stringify(await rows("show all tables"))).toContain('"append"');
    expect(await rows("pivot append.append on id using count(*) group by _cf_job_id")).toHaveLength(2);
    expect((await rows("explain from append.append")).length).toBeGreaterThan(0);
  });
});

describe("files whose columns differ", () => {
  test("are one view: what a file lacks is null, and types widen where every value stays what it is", async () => {
    const code = yielding(`a, b = pa.array([1, None], pa.int32()), pa.array(["x", "y"])
if text == "one": yield pa.table({"n": a, "Only": b, "v": pa.array([1, 2], pa.int64()), "nothing": pa.nulls(2)})
if text == "two": yield pa.table({"v": pa.array([0.5, 1.5]), "n": pa.array([2**40, 0], pa.int64()), "nothing": ["now", "something"]})
if text == "three": yield pa.table({"N": pa.array([3], pa.int8()), "n": pa.array([4], pa.int8())})`);
    await publish("differs", "*.differs", code);
    await produce("1.differs", "one");
    await produce("2.differs", "two");
    expect(
      await rows(
        "select * exclude (_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version) from differs.differs",
      ),
    ).toEqual([
      { n: 1, Only: "x", v: 1, nothing: null },
      { n: null, Only: "y", v: 2, nothing: null },
      { n: 2 ** 40, Only: null, v: 0.5, nothing: "now" },
      { n: 0, Only: null, v: 1.5, nothing: "something" },
    ]);
    await produce("3.differs", "three");
    expect(await rows(`select n, "N_2" from differs.differs where "N_2" is not null`)).toEqual([{ n: 4, N_2: 3 }]);
  });

  test("are refused where no type holds both, by column and job, unless they are wanted as text", async () => {
    const code = yielding(`yield pa.table({"amount": [int(text)] if text.isdigit() else [text]})`);
    await publish("clash", "*.clash", code);
    const jobs = [await produce("1.clash", "12"), await produce("2.clash", "n/a")];
    const refused = failureOf(await query("query", "from clash.clash", "--json"));
    expect(refused).toMatchObject({ code: "OUTPUT_TYPES_CLASH", hint: expect.stringContaining("--mixed-as-text") as string });
    for (const part of ['"amount"', "BIGINT", "VARCHAR", ...jobs.map((id) => `job ${id}`)]) expect(refused.message).toContain(part);
    expect(await rows("select amount from clash.clash order by 1", "--mixed-as-text")).toEqual([{ amount: "12" }, { amount: "n/a" }]);
  });

  test("are refused where a whole number is none of the doubles beside it", async () => {
    const code = yielding(`yield pa.table({"n": [int(text)] if text.isdigit() else [float(text)]})`);
    await publish("beyond", "*.beyond", code);
    await produce("1.beyond", "9007199254740993");
    await produce("2.beyond", "0.5");
    expect(failureOf(await query("query", "select n from beyond.beyond", "--json")).message).toContain("beyond 2^53");
    expect(await rows("select n from beyond.beyond order by n", "--mixed-as-text")).toEqual([{ n: "0.5" }, { n: "9007199254740993" }]);
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
    await publish("values", "*.values", code);
    await produce("a.values", "x");
    expect(await rows(`select ${columns} from values.values`)).toEqual([
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
    const { stdout } = await query("query", `select ${columns} from values.values`, "--format", "csv");
    expect(stdout.split("\n").slice(1)).toEqual([
      `9223372036854775807,18446744073709551615,12345678901234567890.123456789012345678,2026-11-21T12:00:00.123456Z,1970-01-01T00:00:00.000000001,` +
        `1969-12-31,01:02:03.4,NaN,0.1,"{""a"":[1,null],""b"":""q\\""uote""}","[{""key"":""k"",""value"":""1152921504606846976""}]",00ff,true,"a,""b`,
      `"`,
      `-5,,-0.000000000000000001,,1970-01-01T00:00:01.5,,,-Infinity,-0,,[],"",,""`,
    ]);
  });

  test("are the same in a Parquet file, read by pyarrow", async () => {
    const file = join(home, "values.parquet");
    expect(await query.json("query", "select big, exact, moment, text from values.values", "--output", file)).toEqual({
      file,
      format: "parquet",
      rows: 2,
    });
    const script =
      "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); print([str(f.type) for f in t.schema]); print(t.to_pylist()[0])";
    const { stdout } = await execa(testTools().environmentPython, ["-c", script, file]);
    expect(stdout).toContain("['int64', 'decimal128(38, 18)', 'timestamp[us, tz=UTC]', 'string']");
    expect(stdout).toContain("9223372036854775807");
    expect(stdout).toContain("Decimal('12345678901234567890.123456789012345678')");
  });

  test("stay apart where columns have one name", async () => {
    expect(await rows("select 1 as a, 2 as a, 3 as a_2")).toEqual([{ a: 1, a_3: 2, a_2: 3 }]);
  });
});

describe("what comes out", () => {
  test("is a table with so many rows and the count of the others", async () => {
    const { stdout } = await query("query", "select range as n, 'x' as t from range(10000)", "--limit", "2");
    expect(stdout).toBe("n  t\n0  x\n1  x\n… and 9,998 more (--limit, --format csv)\n(10,000 rows)");
    expect((await query("query", "select 1 as a where false")).stdout).toBe("a\n(0 rows)");
    expect(await rows("select 1 as a where false")).toEqual([]);
    expect(await rows("from range(10)", "--limit", "2")).toHaveLength(2);
  });

  test("goes to a file that has its name when it is whole", async () => {
    const file = join(home, "out.csv");
    await query("query", "from range(3)", "--output", file);
    expect(await readFile(file, "utf8")).toBe("range\n0\n1\n2\n");
    await query("query", "from range(1)", "--output", file, "--format", "json");
    expect(await readFile(file, "utf8")).toBe('[\n  {"range": 0}\n]\n');
    expect((await query("query", "select error('no') from range(3)", "--output", file)).exitCode).toBe(1);
    expect(await readFile(file, "utf8")).toBe('[\n  {"range": 0}\n]\n');
    expect((await readdir(home)).filter((name) => name.includes(".part"))).toEqual([]);
    expect((await query("query", "select 1", "--output", join(home, "missing/out.csv"))).stderr).toContain("can't be written");
  });

  test("has a known form", async () => {
    for (const args of [
      ["--format", "xml"],
      ["--format", "parquet"],
      ["--output", "x.txt"],
      ["--format", "csv", "--json"],
      ["--as-of", "sometime"],
      ["--as-of", "2999-01-01"],
    ])
      expect((await query("query", "select 1", ...args)).exitCode, args.join(" ")).toBe(2);
  });

  test("comes from a statement in a file or on stdin as well, and may be cut off by its reader", async () => {
    await writeFile(join(home, "one.sql"), "select 1 as one; -- and only\n");
    expect(await rows("@one.sql")).toEqual([{ one: 1 }]);
    const flags = ["--home", home, "--database", fixture.database.url, "query"];
    expect((await runCommand([...flags, "-", "--format", "csv"], { input: "select 1 as one" })).stdout).toBe("one\n1");
    const program = join(import.meta.dirname, "../../bin/casparian.js");
    const shell = `"$0" "$@" | head -2; echo done`;
    for (const format of ["csv", "json"]) {
      const cut = await execa("sh", ["-c", shell, process.execPath, program, ...flags, "from range(3000000)", "--format", format], {
        reject: false,
      });
      expect(cut).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringMatching(/done$/) as string });
    }
  });
});

test("a statement that is interrupted stops", async () => {
  const program = join(import.meta.dirname, "../../bin/casparian.js");
  const endless = "select range as n from range(1000000000000)";
  const child = execa(
    process.execPath,
    [program, "--home", home, "--database", fixture.database.url, "query", endless, "--format", "csv"],
    {
      reject: false,
      buffer: { stdout: false },
    },
  );
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdout.resume();
  child.kill("SIGINT");
  expect(await child).toMatchObject({ exitCode: 130, stderr: "" });
  const counting = execa(
    process.execPath,
    [program, "--home", home, "--database", fixture.database.url, "query", "select max(hash(range)) from range(1000000000000)"],
    { reject: false },
  );
  const threads = async () => Number((await readFile(`/proc/${counting.pid}/stat`, "utf8")).split(") ")[1]!.split(" ")[11]);
  await expect.poll(threads, { timeout: 20_000 }).toBeGreaterThan(200);
  counting.kill("SIGINT");
  expect(await counting).toMatchObject({ exitCode: 130, stdout: "", stderr: "" });
});

describe("mistakes", () => {
  test("are told in DuckDB's words", async () => {
    expect((await query("query", "select idd from append.append")).stderr).toContain('Candidate bindings: "id"');
    const parse = failureOf(await query("query", "selec 1", "--json"));
    expect(parse).toMatchObject({ code: "QUERY_FAILED", message: expect.stringContaining('syntax error at or near "selec"') as string });
    for (const statement of ["", " -- nothing", "select 1; select 2", "create table t as select 1"])
      expect((await query("query", statement)).exitCode, statement).toBe(2);
  });

  test("of people who removed or changed a result's file name the file and the job", async () => {
    await publish("lost", "*.lost", csvPlugin);
    const jobs = [await produce("a.lost", "id\n1\n"), await produce("b.lost", "id\n2\n")];
    const folder = join(fixture.output, "lost");
    const [first, second] = (await readdir(folder)).filter((name) => name.endsWith(".parquet")).toSorted();
    await rename(join(folder, first!), join(folder, "hidden"));
    const gone = failureOf(await query("query", "from lost.lost", "--json"));
    expect(gone).toMatchObject({ code: "OUTPUT_MISSING", hint: expect.stringContaining(`casparian jobs show ${jobs[0]}`) as string });
    expect(gone.message).toContain(join(folder, first!));
    expect(gone.message).toContain(`job ${jobs[0]}`);
    expect(await rows("select count(*) as n from append.append")).toEqual([{ n: 3 }]);
    await rename(join(folder, "hidden"), join(folder, first!));
    await rm(join(folder, second!));
    await writeFile(join(folder, second!), "not parquet");
    expect(failureOf(await query("query", "from lost.lost", "--json"))).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining(`job ${jobs[1]}`) as string,
    });
  });

  test("outputs that are elsewhere are listed with the way to them", async () => {
    await publish("moved", "*.moved", csvPlugin);
    const jobId = await produce("a.moved", "id\n1\n");
    await fixture.database.db.query("update cf_job_output set sink_uri = 'postgres://me:secret@db/lake' where job_id = $1", [jobId]);
    const { stdout } = await query("query", "--tables");
    expect(stdout).toContain("postgres://me:***@db/lake is read with psql");
    const refused = await query("query", "from moved.moved", "--json");
    expect(failureOf(refused)).toMatchObject({ code: "OUTPUT_ELSEWHERE", hint: expect.stringContaining("psql") as string });
    expect(stdout + refused.stderr).not.toContain("secret");
  });
});

test("a view may have thousands of files", async () => {
  const { db } = fixture.database;
  await publish("many", "*.many", csvPlugin);
  const jobId = await produce("0.many", "id\n1\n2\n");
  const { rows: found } = await db.query<{ target: string }>("select target from cf_job_output where job_id = $1", [jobId]);
  const { target } = found[0]!;
  const files = 2_000;
  for (let n = 0; n < files; n += 1) await copyFile(target, target.replace("0.", `copy${n}.`));
  await db.query(
    `with location as (
       insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
       select source_id, 'copy' || n, 1, 1, 1, n from cf_file_location, generate_series(0, $2 - 1) n where rel_path = '0.many' returning id, rel_path
     ), version as (
       insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at)
       select id, 1, repeat('a', 64), 1, 1, 1, 1, now() from location returning id, location_id
     ), job as (
       insert into cf_processing_job (file_version_id, plugin_id, plugin_name, state, attempt, finished_at)
       select version.id, j.plugin_id, j.plugin_name, 'COMPLETED', 1, now() from version, cf_processing_job j where j.id = $1
       returning id, file_version_id
     ), attempt as (
       insert into cf_job_attempt (job_id, attempt, worker, outcome, finished_at) select id, 1, 'test', 'COMMITTED', now() from job returning job_id
     )
     insert into cf_job_output (job_id, attempt, output_name, file_version_id, plugin_id, sink_uri, mode, state, rows_sent, rows_received,
       rows_written, rows_read_back, size_bytes, columns, staged, target, committed_at)
     select job.id, 1, o.output_name, job.file_version_id, o.plugin_id, o.sink_uri, o.mode, o.state, o.rows_sent, o.rows_received,
       o.rows_written, o.rows_read_back, o.size_bytes, o.columns, o.staged, replace(o.target, '0.', l.rel_path || '.'), now()
     from job join attempt on attempt.job_id = job.id join version on version.id = job.file_version_id
       join location l on l.id = version.location_id, cf_job_output o where o.job_id = $1`,
    [jobId, files],
  );
  expect(await rows("select count(*) as n, sum(id) as total from many.many")).toEqual([{ n: 4_002, total: 6_003 }]);
  expect((await readResults(join(fixture.output, "many"))).length).toBe(2_001);
}, 60_000);
