import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { program, runCommand } from "../support/command.ts";
import { createQueryFixture, type QueryFixture } from "../support/query-fixture.ts";
import { patience } from "../support/patience.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

describe("what comes out", () => {
  test("is a table with so many rows and the count of the others", async () => {
    const { stdout } = await fixture.query("query", "select range as n, 'x' as t from range(10000)", "--limit", "2");
    expect(stdout).toBe("n  t\n0  x\n1  x\n… and 9,998 more (--limit, --format csv)\n(10,000 rows)");
    expect((await fixture.query("query", "select 1 as a where false")).stdout).toBe("a\n(0 rows)");
    expect(await fixture.rows("select 1 as a where false")).toEqual([]);
    expect(await fixture.rows("from range(10)", "--limit", "2")).toHaveLength(2);
  });

  test("goes to a file that has its name when it is whole", async () => {
    const file = join(fixture.home, "out.csv");
    await fixture.query("query", "from range(3)", "--output", file);
    expect(await readFile(file, "utf8")).toBe("range\n0\n1\n2\n");
    await fixture.query("query", "from range(1)", "--output", file, "--format", "json");
    expect(await readFile(file, "utf8")).toBe('[\n  {"range": 0}\n]\n');
    expect((await fixture.query("query", "select error('no') from range(3)", "--output", file)).exitCode).toBe(1);
    expect(await readFile(file, "utf8")).toBe('[\n  {"range": 0}\n]\n');
    expect((await readdir(fixture.home)).filter((name) => name.includes(".part"))).toEqual([]);
    expect((await fixture.query("query", "select 1", "--output", join(fixture.home, "missing/out.csv"))).stderr).toContain(
      "can't be written",
    );
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
      expect((await fixture.query("query", "select 1", ...args)).exitCode, args.join(" ")).toBe(2);
  });

  test("comes from a statement in a file or on stdin as well, and may be cut off by its reader", async () => {
    await writeFile(join(fixture.home, "one.sql"), "select 1 as one; -- and only\n");
    expect(await fixture.rows("@one.sql")).toEqual([{ one: 1 }]);
    const flags = ["--home", fixture.home, "--database", fixture.jobs.database.url, "query"];
    expect((await runCommand([...flags, "-", "--format", "csv"], { input: "select 1 as one" })).stdout).toBe("one\n1");
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
  const endless = "select range as n from range(1000000000000)";
  const child = execa(
    process.execPath,
    [program, "--home", fixture.home, "--database", fixture.jobs.database.url, "query", endless, "--format", "csv"],
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
    [
      program,
      "--home",
      fixture.home,
      "--database",
      fixture.jobs.database.url,
      "query",
      "select max(hash(range)) from range(1000000000000)",
    ],
    { reject: false },
  );
  const threads = async () => Number((await readFile(`/proc/${counting.pid}/stat`, "utf8")).split(") ")[1]!.split(" ")[11]);
  await expect.poll(threads, patience).toBeGreaterThan(200);
  counting.kill("SIGINT");
  expect(await counting).toMatchObject({ exitCode: 130, stdout: "", stderr: "" });
});
