import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import "../support/quiet-temporal.ts";
import { commandOn, type RecordCommand } from "../support/command.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { textPlugin } from "../support/samples.ts";

let fixture: JobFixture;
let casparian: RecordCommand;
beforeAll(async () => {
  fixture = await createJobFixture();
  casparian = commandOn(fixture.folder, fixture.database.url);
  await fixture.publish("trades", textPlugin, "*.csv");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

async function run(name: string, content: string): Promise<string> {
  const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);
  const fileVersionId = await fixture.record(name, content);
  const [job] = (await act(fixture.activities.planJobs, { fileVersionId })).jobs;
  const { jobId } = job!;
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  await act(fixture.activities.commitJob, { jobId, attempt: 1 });
  return jobId;
}

// One story: each test goes on where the one before ended.

test("without a contract the commands say how one comes about", async () => {
  expect((await casparian("contract", "list")).stdout).toContain("first committed job");
  expect(await casparian("contract", "show", "trades")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("proposes one") as string,
  });
  expect((await casparian("quarantine", "list")).stdout).toBe("Nothing was set aside.");
});

test("the first job proposes one, which a person approves and changes, with a line in the audit each", async () => {
  await run("1.csv", "id,amount\n1,2.50\n");
  expect((await casparian("contract", "list")).stdout).toMatch(/trades +trades +1 +PROPOSED +evolve +2/);
  expect((await casparian("contract", "approve", "trades")).stdout).toBe(
    "Version 1 of the contract of trades/trades is in force, with policy evolve",
  );
  const set = (...args: string[]) => casparian("contract", "set", "trades", "trades", ...args);
  await set("--policy", "quarantine", "--max-share", "50%");
  await set("--column", "id", "--type", "int64", "--no-nullable", "--unique", "--min", "1");
  expect((await set("--column", "amount", "--type", "decimal(10,2)")).stdout).toContain("Version 4");
  const { stdout } = await casparian("contract", "show", "trades");
  expect(stdout).toMatch(/at most 50%/);
  expect(stdout).toMatch(/id +int64 +no +at least 1; unique in a file/);
  expect(stdout).toMatch(/amount +decimal128\(10, 2\) +yes/);
  const { rows } = await fixture.database.db.query("select action, subject, detail ->> 'version' as version from cf_audit order by id");
  expect(rows.filter(({ action }: { action: string }) => action.startsWith("contract."))).toEqual(
    ["contract.approve", "contract.set", "contract.set", "contract.set"].map((action, i) => ({
      action,
      subject: "trades/trades",
      version: String(i + 1),
    })),
  );
});

test("a job that sets rows aside is PARTIAL, with the balance and the contract on its page, and its rows are shown and exported", async () => {
  const jobId = await run("2.csv", 'id,amount\n1,2.50\n1,3\nx,"a,b"\n4,\n');
  expect((await casparian("jobs", "list")).stdout).toMatch(new RegExp(`${jobId} +PARTIAL`));
  const { stdout } = await casparian("jobs", "show", jobId);
  expect(stdout).toMatch(
    /OUTPUT.*SENT +RECEIVED +WRITTEN +SET ASIDE +READ BACK.*CONTRACT\n.*trades +1 +COMMITTED +4 +4 +2 +2 +2 .*version 4/,
  );
  expect(stdout).toContain(`casparian quarantine show ${jobId}`);
  expect((await casparian("quarantine", "list")).stdout).toMatch(
    new RegExp(`${jobId} +trades +trades +2.csv +2 +2 +4 .*id: "1" is there a second time`),
  );
  const shown = await casparian.json<{ rowNumber: number; raw: string }[]>("quarantine", "show", jobId);
  expect(shown.map(({ rowNumber, raw }) => [rowNumber, JSON.parse(raw) as unknown])).toEqual([
    [2, { id: "1", amount: "3" }],
    [3, { id: "x", amount: "a,b" }],
  ]);
  const file = join(fixture.folder, "bad.csv");
  expect((await casparian("quarantine", "export", file)).stderr).toContain("2 rows");
  const lines = (await readFile(file, "utf8")).trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[2]).toContain(`"id: ""x"" is not a value of type int64; amount: ""a,b"" is not a value of type decimal128(10, 2)"`);
  const jsonl = await casparian("quarantine", "export", "--job", jobId, "--format", "jsonl");
  expect(jsonl.stdout.split("\n").map((line) => (JSON.parse(line) as { raw: unknown }).raw)).toEqual([
    { id: "1", amount: "3" },
    { id: "x", amount: "a,b" },
  ]);
});

test("a contract goes to a file and back, and its difference to what came last is shown", async () => {
  const { document } = await casparian.json<{ document: { columns: object[] } }>("contract", "show", "trades");
  const file = join(fixture.folder, "contract.json");
  await writeFile(file, JSON.stringify({ ...document, columns: [...document.columns, { name: "side", type: "string", one_of: ["BUY"] }] }));
  expect((await casparian("contract", "approve", "trades", "--file", file)).stdout).toContain("Version 5");
  expect((await casparian("contract", "diff", "trades")).stdout).toMatch(
    /narrowed id: int64 → \w*string\n.*narrowed amount: .*\n.*removed side: string/,
  );
  expect((await casparian("contract", "diff", "trades", "--from", "4", "--to", "5")).stdout).toContain("added side: string");
  const wrong = await casparian("contract", "set", "trades", "--column", "amont", "--min", "1");
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("Did you mean amount?") as string });
  expect(await casparian("contract", "approve", "trades")).toMatchObject({ exitCode: 2 });
});
