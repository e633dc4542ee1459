import { once } from "node:events";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failureOf, program } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";

const code = yielding(`yield pa.table({"n": pa.array(range(int(text)), pa.int64())})`);
let fixture: QueryFixture;
beforeAll(async () => {
  fixture = await createQueryFixture();
  for (const name of ["held", "long"])
    await fixture.publish(name, `*.${name}`, code, { mode: "replace", uri: `duckdb://output/${name}.duckdb?table=main.${name}` });
  await fixture.produce("a.held", "3");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const fileOf = (name: string): string => join(fixture.jobs.output, `${name}.duckdb`);

/** Another program that opens the file, does something with it, and keeps it open until its input ends. */
async function holdOpen(path: string, statement: string) {
  const text = `const { DuckDBInstance } = await import(${JSON.stringify(import.meta.resolve("@duckdb/node-api"))});
    const connection = await (await DuckDBInstance.create(${JSON.stringify(path)})).connect();
    await connection.run(${JSON.stringify(statement)});
    console.log("open");
    process.stdin.on("end", () => process.exit(0)).resume();`;
  const holder = execa(process.execPath, ["--input-type=module", "-e", text], { reject: false });
  await once(createInterface({ input: holder.stdout }), "line");
  // Not by itself: it would be waited for.
  return { holder };
}

test("a file that another program has open to write is waited for, and then the query names the program", async () => {
  const { holder } = await holdOpen(fileOf("held"), "select 1");
  try {
    const refused = failureOf(await fixture.query("query", "from held", "--json"));
    expect(refused).toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringContaining(`(PID ${holder.pid})`) as string,
      hint: expect.stringContaining("run the query again") as string,
    });
    expect(await fixture.rows("select 1 as one")).toEqual([{ one: 1 }]);
  } finally {
    holder.stdin.end();
    await holder;
  }
  expect(await fixture.rows("select count(*) as n from held")).toEqual([{ n: 3 }]);
});

test("what a killed program left in the file's log counts", async () => {
  const { holder } = await holdOpen(fileOf("held"), "delete from held where n = 1");
  holder.kill("SIGKILL");
  await holder;
  await access(`${fileOf("held")}.wal`);
  expect(failureOf(await fixture.query("query", "from held", "--json"))).toMatchObject({
    code: "OUTPUT_CHANGED",
    message: expect.stringContaining("has 2 of the 1 current jobs where 3 were written") as string,
  });
});

test("rows are copied first, so that results are committed while a query goes on, and it shows none of them", async () => {
  await fixture.produce("a.long", "50000");
  const args = ["--home", fixture.home, "--database", fixture.jobs.database.url, "query", "from long", "--format", "csv"];
  const child = execa(process.execPath, [program, ...args], { reject: false, buffer: { stdout: false }, stdin: "ignore" });
  const ended = child.then(({ exitCode, stderr }) => ({ exitCode, stderr }));
  try {
    let lines = 0;
    await new Promise<void>((resolve) => child.stdout.once("readable", resolve));
    await fixture.produce("a.long", "2");
    child.stdout.on("data", (chunk: Buffer) => void (lines += chunk.toString().split("\n").length - 1));
    expect({ ...(await ended), lines }).toEqual({ exitCode: 0, stderr: "", lines: 50_001 });
  } finally {
    child.kill("SIGKILL");
  }
  expect(await fixture.rows("select count(*) as n from long")).toEqual([{ n: 2 }]);
});

test("no more is copied than is allowed", async () => {
  await fixture.produce("b.long", "200000");
  const refused = await fixture.query("query", "from long", "--fetch-max", "100kB", "--json");
  expect(failureOf(refused)).toMatchObject({ code: "QUERY_FETCH_MAX", message: expect.stringContaining("long.long") as string });
});
