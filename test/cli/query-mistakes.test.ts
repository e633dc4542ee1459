import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => {
  fixture = await createQueryFixture();
  await fixture.publish("append", "*.append", tablePlugin);
  await fixture.produce("a.append", "id\n1\n2\n");
  await fixture.produce("b.append", "id\n3\n");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

describe("mistakes", () => {
  test("are told in DuckDB's words", async () => {
    expect((await fixture.query("query", "select idd from append.append")).stderr).toContain('Candidate bindings: "id"');
    const parse = failureOf(await fixture.query("query", "selec 1", "--json"));
    expect(parse).toMatchObject({ code: "QUERY_FAILED", message: expect.stringContaining('syntax error at or near "selec"') as string });
    for (const statement of ["", " -- nothing", "select 1; select 2", "create table t as select 1"])
      expect((await fixture.query("query", statement)).exitCode, statement).toBe(2);
  });

  test("of people who removed or changed a result's file name the file and the job", async () => {
    await fixture.publish("lost", "*.lost", tablePlugin);
    const jobs = [await fixture.produce("a.lost", "id\n1\n"), await fixture.produce("b.lost", "id\n2\n")];
    const folder = join(fixture.jobs.output, "lost");
    const [first, second] = (await readdir(folder)).filter((name) => name.endsWith(".parquet")).toSorted();
    await rename(join(folder, first!), join(folder, "hidden"));
    const gone = failureOf(await fixture.query("query", "from lost.lost", "--json"));
    expect(gone).toMatchObject({ code: "OUTPUT_MISSING", hint: expect.stringContaining(`casparian jobs show ${jobs[0]}`) as string });
    expect(gone.message).toContain(join(folder, first!));
    expect(gone.message).toContain(`job ${jobs[0]}`);
    expect(await fixture.rows("select count(*) as n from append.append")).toEqual([{ n: 3 }]);
    await rename(join(folder, "hidden"), join(folder, first!));
    await rm(join(folder, second!));
    await writeFile(join(folder, second!), "not parquet");
    expect(failureOf(await fixture.query("query", "from lost.lost", "--json"))).toMatchObject({
      code: "OUTPUT_CHANGED",
      message: expect.stringContaining(`job ${jobs[1]}`) as string,
    });
  });

  test("outputs that are elsewhere are listed with the way to them", async () => {
    await fixture.publish("moved", "*.moved", tablePlugin);
    const jobId = await fixture.produce("a.moved", "id\n1\n");
    await fixture.jobs.database.db.query("update cf_job_output set sink_uri = 'sqlite://trades.db?password=secret' where job_id = $1", [
      jobId,
    ]);
    const { stdout } = await fixture.query("query", "--tables");
    expect(stdout).toContain("sqlite://trades.db?password=*** is read with sqlite3");
    const refused = await fixture.query("query", "from moved.moved", "--json");
    expect(failureOf(refused)).toMatchObject({ code: "OUTPUT_ELSEWHERE", hint: expect.stringContaining("sqlite3") as string });
    expect(stdout + refused.stderr).not.toContain("secret");
  });
});
