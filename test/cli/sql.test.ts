import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { jobsWithVersions, versionsWithJobs } from "../support/audit-queries.ts";
import { testDatabase } from "../support/database.ts";
import { commandOn, failureOf, program, runCommand } from "../support/command.ts";
import { fillRecord } from "../support/record.ts";
import { sha256 } from "../support/sha256.ts";
import { patience } from "../support/patience.ts";

const { db, url, readerUrl, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-sql-"));
const casparian = commandOn(home, url);
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

beforeAll(async () => {
  const record = fillRecord(db);
  const source = await record.source("inbox");
  const pluginId = await record.plugin("clean", "1");
  const first = await record.version(source, "data/finance.csv", "a");
  await record.version(source, "data/finance.csv", "b");
  await record.complete(await record.job(first, pluginId, "clean"), 3, "/out/finance.parquet");
});

describe("the audit queries", () => {
  test.each([
    ["as the record's owner", () => url],
    ["as an auditor who can only read", () => readerUrl],
  ])("run to the letter %s", async (_, urlOf) => {
    const asked = commandOn(home, urlOf());
    expect(await asked.json("sql", versionsWithJobs)).toMatchObject([
      { rel_path: "data/finance.csv", version_id: 1, content_hash: sha256("a"), size_bytes: 1, jobs_processed: 1 },
      { rel_path: "data/finance.csv", version_id: 2, content_hash: sha256("b"), size_bytes: 1, jobs_processed: 0 },
    ]);
    expect(await asked.json("sql", jobsWithVersions)).toMatchObject([
      { job_id: 1, status: "COMPLETED", plugin_name: "clean", version_id: 1, content_hash: sha256("a"), rel_path: "data/finance.csv" },
    ]);
  });
});

describe("results", () => {
  test("are a table, CSV or JSON", async () => {
    const statement = "select id, rel_path, null as nothing, 'a,\"b' as quoted from cf_file_location";
    expect((await casparian("sql", statement)).stdout).toBe(
      ["id  rel_path          nothing  quoted", ' 1  data/finance.csv           a,"b', "(1 row)"].join("\n"),
    );
    expect((await casparian("sql", statement, "--csv")).stdout).toBe('id,rel_path,nothing,quoted\n1,data/finance.csv,,"a,""b"');
    expect(await casparian.json("sql", statement)).toEqual([{ id: 1, rel_path: "data/finance.csv", nothing: null, quoted: 'a,"b' }]);
    expect((await casparian("sql", statement, "--csv", "--json")).exitCode).toBe(2);
  });

  test("keep every value and every column in JSON", async () => {
    const values = `select 9007199254740993::int8 as big, 1.10::numeric as exact, 'NaN'::float8 as nan, true as yes, '{"a": [1]}'::jsonb as doc,
      timestamptz '2026-11-21 12:00:00.123456+01' as at, 1 as same, 2 as same`;
    expect(await casparian.json("sql", values)).toEqual([
      {
        big: "9007199254740993",
        exact: "1.10",
        nan: "NaN",
        yes: true,
        doc: { a: [1] },
        at: "2026-11-21T11:00:00.123456Z",
        same: 1,
        same_2: 2,
      },
    ]);
  });

  test("come from a statement in a file or on stdin as well", async () => {
    await writeFile(join(home, "count.sql"), "select count(*) from cf_file_version;\n");
    expect(await casparian.json("sql", "@count.sql")).toEqual([{ count: 2 }]);
    const piped = await runCommand(["--home", home, "--database", url, "sql", "@-", "--csv"], { input: "select 1 as one" });
    expect(piped.stdout).toBe("one\n1");
    expect((await casparian("sql", "@missing.sql")).stderr).toContain("missing.sql can't be read");
  });

  test("may be cut off by their reader", async () => {
    const statement = "select n, repeat('x', 100) as text from generate_series(1, 200000) n";
    const result = await execa(
      "sh",
      ["-c", `"$0" "$@" | head -2; echo done`, process.execPath, program, "--database", url, "sql", statement, "--csv"],
      {
        cwd: home,
        reject: false,
      },
    );
    expect(result).toMatchObject({ exitCode: 0, stderr: "", stdout: `n,text\n1,${"x".repeat(100)}\ndone` });
  });
});

test("a statement that is interrupted stops in the server as well", async () => {
  const child = execa(process.execPath, [program, "--database", url, "sql", "select pg_sleep(300)"], { cwd: home, reject: false });
  const sleeping = async () =>
    (
      await db.query(
        "select from pg_stat_activity where datname = current_database() and state = 'active' and query = 'select pg_sleep(300)'",
      )
    ).rowCount;
  await vi.waitFor(async () => expect(await sleeping()).toBe(1), patience);
  child.kill("SIGINT");
  expect(await child).toMatchObject({ exitCode: 130, stdout: "", stderr: "" });
  expect(await sleeping()).toBe(0);
});

describe("what is refused", () => {
  test.each([
    "delete from cf_audit",
    "insert into cf_audit (actor, action, subject) values ('me', 'x', 'y')",
    "create table mine (a int)",
    "with gone as (delete from cf_outbox returning *) select * from gone",
    "select setval('cf_audit_id_seq', 1000)",
    "do $$ begin reset role; set transaction read write; delete from cf_outbox; end $$",
    "do $$ begin perform set_config('transaction_read_only', 'off', true); delete from cf_outbox; end $$",
  ])("%s", async (statement) => {
    const before = await db.query("select (select count(*) from cf_outbox) as outbox, (select count(*) from cf_audit) as audit");
    const result = await casparian("sql", statement, "--json");
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(["SQL_REFUSED", "SQL_FAILED"]).toContain(failureOf(result).code);
    expect((await db.query("select (select count(*) from cf_outbox) as outbox, (select count(*) from cf_audit) as audit")).rows).toEqual(
      before.rows,
    );
  });

  test("several statements, none, and copy", async () => {
    expect(await casparian("sql", "select 1; select 2")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("one statement at a time") as string,
    });
    expect((await casparian("sql", "commit; delete from cf_outbox")).exitCode).toBe(2);
    expect(await casparian("sql", " -- nothing")).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("no statement") as string });
    expect((await casparian("sql", "copy cf_outbox to stdout")).exitCode).toBe(2);
  });

  test("mistakes, in the server's words and with the place", async () => {
    const unknown = await casparian("sql", "select *\nfrom cf_fil");
    expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unknown.stderr).toContain('relation "cf_fil" does not exist; at line 2, near "cf_fil"');
    expect(unknown.stderr).toContain("information_schema.tables");
    expect((await casparian("sql", "select rel_pth from cf_file_location")).stderr).toContain("hint: Perhaps you meant");
    expect((await casparian("sql", "selec 1")).stderr).toContain('syntax error at or near "selec"');
  });
});
