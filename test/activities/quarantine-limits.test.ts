import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { quarantineMax } from "../../contracts/quarantine.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
  await fixture.publish("refuses", plugin, "*.txt");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** Yields two good rows, and sets aside as many rows with texts of that length as its file says. */
const plugin = `import pyarrow as pa

class Handler:
    def execute(self, file_path):
        rows, length = map(int, open(file_path).read().split())
        yield pa.table({"id": [1, 2]})
        for first in range(0, rows, 10_000):
            count = min(10_000, rows - first)
            columns = {"_cf_reason": ["no good"] * count, "text": ["x" * length] * count}
            yield "_quarantine", pa.table(columns)
`;

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

async function run(name: string, rows: number, length: number): Promise<string> {
  const fileVersionId = await fixture.record(name, `${rows} ${length}`);
  const { jobId } = (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!;
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  await act(fixture.activities.commitJob, { jobId, attempt: 1 });
  return jobId;
}

async function setAside(): Promise<number> {
  const { rows } = await fixture.database.db.query<{ rows: number }>("select count(*)::int as rows from cf_quarantine");
  return rows[0]!.rows;
}

test.each([
  ["rows", quarantineMax.rows + 1, 1],
  ["bytes", 65, 1024 * 1024],
])("a file with too many %s to be set aside fails with nothing kept of it, and says why", async (what, rows, length) => {
  await expect(run(`${what}.txt`, rows, length)).rejects.toMatchObject({
    type: "QUARANTINE_FULL",
    nonRetryable: true,
    message: expect.stringMatching(/more than 100000 rows or 64 MB of output refuses.*row 1: no good/) as string,
  });
  expect(await setAside()).toBe(0);
  expect((await readdir(join(fixture.output, "refuses"), { recursive: true })).filter((path) => path.endsWith(".parquet"))).toEqual([]);
});

test("as many rows as are kept at most are kept", async () => {
  await run("most.txt", quarantineMax.rows, 1);
  expect(await setAside()).toBe(quarantineMax.rows);
});
