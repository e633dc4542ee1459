import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { program } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

const code = yielding(`yield pa.table({"n": pa.array(range(int(text)), pa.int64())})`);

/** `casparian query`, whose output nobody reads before `meanwhile` is over. */
async function queryWhile(statement: string, meanwhile: () => Promise<void>) {
  const args = ["--home", fixture.home, "--database", fixture.jobs.database.url, "query", statement, "--format", "csv", "--debug"];
  const child = execa(process.execPath, [program, ...args], { reject: false, buffer: { stdout: false }, stdin: "ignore" });
  const ended = child.then(({ exitCode, stderr }) => ({ exitCode, stderr }));
  try {
    let lines = 0;
    await new Promise<void>((resolve) => child.stdout.once("readable", resolve));
    await meanwhile();
    child.stdout.on("data", (chunk: Buffer) => void (lines += chunk.toString().split("\n").length - 1));
    const result = await ended;
    return { ...result, lines };
  } finally {
    child.kill("SIGKILL");
  }
}

test.each(["parquet", "csv"] as const)("a query that is overtaken by a newer result says so, in %s", async (scheme) => {
  const name = `over${scheme}`;
  await fixture.publish(name, `*.${name}`, code, { mode: "replace", uri: `${scheme}://output/${name}` });
  const first = await fixture.produce(`a.${name}`, "50000");
  await fixture.produce(`b.${name}`, "1");
  const overtaken = await queryWhile(`from ${name}`, async () => void (await fixture.produce(`a.${name}`, "2")));
  expect(overtaken).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`took the place of job ${first}'s`) as string });
  expect(overtaken.stderr).toContain("Run the query again");
  expect(await fixture.rows(`select count(*) as n from ${name}`)).toEqual([{ n: 3 }]);
});

test("a query of files that nobody replaces isn't disturbed by others beside them", async () => {
  await fixture.publish("beside", "*.beside", code, { mode: "replace", uri: "parquet://output/beside" });
  await fixture.produce("a.beside", "50000");
  const { exitCode, stderr, lines } = await queryWhile("from beside", async () => void (await fixture.produce("b.beside", "5")));
  expect({ exitCode, stderr, lines }).toEqual({ exitCode: 0, stderr: "", lines: 50_001 });
});
