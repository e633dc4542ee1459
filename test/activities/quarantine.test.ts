import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approveContract, insertContract, listContracts } from "../../db/contract.ts";
import { transaction } from "../../db/pool.ts";
import { listRejected } from "../../db/quarantine.ts";
import type { Contract } from "../../domain/contract.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { runPython } from "../support/python.ts";
import { textPlugin } from "../support/samples.ts";

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

async function plan(name: string, content: string): Promise<string> {
  const fileVersionId = await fixture.record(name, content);
  return (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!.jobId;
}
const stage = (jobId: string) => act(fixture.activities.runPlugin, { jobId, quick: false });
const commit = (jobId: string, attempt = 1) => act(fixture.activities.commitJob, { jobId, attempt });

async function ledger(jobId: string) {
  const { rows } = await fixture.database.db.query<Record<string, string>>(
    `select state, rows_sent, rows_received, rows_written, rows_quarantined, rows_read_back from cf_job_output where job_id = $1 order by attempt`,
    [jobId],
  );
  return rows.map((row) => Object.values(row).join(" "));
}

const rejectedOf = async (jobId: string) =>
  (await listRejected(fixture.database.db, { jobId }, { limit: 1000 })).map(({ origin, rowNumber, filePosition, reasons, raw }) => ({
    origin,
    rowNumber,
    filePosition,
    reasons: reasons.map(({ column, reason }) => `${column}: ${reason}`),
    raw: JSON.parse(raw) as unknown,
  }));

/** The columns `id` and `amount` of the one result of a plugin, as pyarrow reads them. */
async function valuesIn(output: string): Promise<unknown> {
  const folder = join(fixture.output, output);
  const script = `import json, sys, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1])
print(json.dumps([str(t.schema.field("amount").type), [[str(v) for v in c.to_pylist()] for c in (t.column("id"), t.column("amount"))]]))`;
  const [file] = (await readdir(folder)).filter((name) => name.endsWith(".parquet"));
  return JSON.parse(await runPython(script, [join(folder, file!)])) as unknown;
}

async function inForce(plugin: string, contract: Partial<Contract> & Pick<Contract, "columns">): Promise<void> {
  const whole = { policy: "quarantine", rowsMax: null, shareMax: null, jobId: null, author: "test", ...contract } as const;
  await transaction(fixture.database.db, async (tx) => {
    await approveContract(tx, await insertContract(tx, { ...whole, plugin, output: plugin }));
  });
}

/** One for files of its own. */
const textPluginFor = (name: string) => fixture.publish(name, `# ${name}\n${textPlugin}`, `*.${name}`);

const columns = [
  { name: "id", type: "int64", nullable: false, checks: { min: "1", unique: true } },
  { name: "amount", type: "decimal128(10, 2)", nullable: true },
] as const;
const mixed = "id,amount\n1,12.50\n2,abc\n0,-1\n4,1.005\n1,2\n6,\n,7\n8,99999999.99\n";

test("rows that don't fit the contract are set aside with every reason, the others are written with its types, and the job is PARTIAL", async () => {
  await textPluginFor("typed");
  await inForce("typed", { columns });
  const jobId = await plan("a.typed", mixed);
  await stage(jobId);
  expect(await ledger(jobId)).toEqual(["STAGED 8 8 3 5 3"]);
  // Not before the commit.
  expect(await rejectedOf(jobId)).toEqual([]);
  expect(await commit(jobId)).toEqual({ state: "PARTIAL" });
  expect(await ledger(jobId)).toEqual(["COMMITTED 8 8 3 5 3"]);
  expect(await valuesIn("typed")).toEqual([
    "decimal128(10, 2)",
    [
      ["1", "6", "8"],
      ["12.50", "None", "99999999.99"],
    ],
  ]);
  const found = await rejectedOf(jobId);
  expect(found.map(({ rowNumber, reasons }) => [rowNumber, ...reasons])).toEqual([
    [2, 'amount: "abc" is not a value of type decimal128(10, 2)'],
    [3, "id: 0 is below 1"],
    [4, 'amount: "1.005" has more than 2 decimals'],
    [5, 'id: "1" is there a second time'],
    [7, "id: is null"],
  ]);
  expect(found[0]).toMatchObject({ origin: "CONTRACT", raw: { id: "2", amount: "abc" } });
  const { rows } = await fixture.database.db.query("select state from cf_processing_job where id = $1", [jobId]);
  expect(rows).toEqual([{ state: "PARTIAL" }]);
});

test("both forms of plugin set rows aside themselves, with reason, column and position", async () => {
  const yielding = `import pyarrow as pa
import pyarrow.csv

class Handler:
    def execute(self, file_path):
        yield pyarrow.csv.read_csv(file_path)[:2]
        yield "_quarantine", [{"_cf_reason": "no such id", "_cf_column": "id", "_cf_position": "line 4", "id": "x", "n": 2**62}]
        yield "_quarantine.other", pa.table({"_cf_reason": ["bad", None], "v": [1.5, None]})
        yield "other", pa.table({"v": pa.array([], pa.float64())})
`;
  await fixture.publish("aside", yielding, "*.aside");
  const jobId = await plan("a.aside", "id\n1\n2\n3\n");
  await stage(jobId);
  expect(await commit(jobId)).toEqual({ state: "PARTIAL" });
  expect(await ledger(jobId)).toEqual(expect.arrayContaining(["COMMITTED 3 3 2 1 2", "COMMITTED 2 2 0 2 0"]));
  const aside = { origin: "PLUGIN", rowNumber: 1, filePosition: "line 4", reasons: ["id: no such id"] };
  expect(await rejectedOf(jobId)).toEqual([
    { ...aside, raw: { id: "x", n: 2 ** 62 } },
    { origin: "PLUGIN", rowNumber: 1, filePosition: null, reasons: ["null: bad"], raw: { v: 1.5 } },
    { origin: "PLUGIN", rowNumber: 2, filePosition: null, reasons: ["null: the plugin gave no reason"], raw: { v: null } },
  ]);
  const [first] = await listRejected(fixture.database.db, { jobId }, { limit: 1 });
  expect(first).toMatchObject({ path: "a.aside", output: "aside", plugin: "aside", raw: '{"id":"x","n":4611686018427387904}' });

  const publishing = `from casparian_flow.sdk import BasePlugin
import pandas as pd

class Handler(BasePlugin):
    def execute(self, file_path):
        df = pd.read_csv(file_path)
        self.publish("old", df)
        self.publish("_quarantine.old", pd.DataFrame({"_cf_reason": ["late"], "id": [9]}))
`;
  await fixture.publish("old", publishing, "*.old");
  const old = await plan("a.old", "id\n1\n");
  await stage(old);
  expect(await commit(old)).toEqual({ state: "PARTIAL" });
  expect(await ledger(old)).toEqual(["COMMITTED 2 2 1 1 1"]);
});

test("what a plugin sets aside without a reason, or from an output that it doesn't have, fails with what to do", async () => {
  const source = (name: string, row: string) => `class Handler:
    def execute(self, file_path):
        yield [{"a": 1}]
        yield "${name}", [{${row}}]
`;
  await fixture.publish("silent", source("_quarantine", '"a": 2'), "*.silent");
  const silent = await plan("a.silent", "x");
  await expect(stage(silent)).rejects.toMatchObject({
    type: "QUARANTINE_REASON",
    message: expect.stringContaining("_cf_reason") as string,
  });
  await fixture.publish("homeless", source("_quarantine.homless", '"_cf_reason": "x"'), "*.homeless");
  const homeless = await plan("a.homeless", "x");
  await expect(stage(homeless)).rejects.toMatchObject({ type: "QUARANTINE_WITHOUT_OUTPUT", nonRetryable: true });
  expect(await readdir(join(fixture.output, "homeless"), { recursive: true }).catch(() => [])).toEqual([]);
});

test("a threshold lets through what it allows, and one row more fails the job with nothing committed", async () => {
  await textPluginFor("limited");
  const bad = (rows: number, good: number) => `id\n${"x\n".repeat(rows)}${Array.from({ length: good }, (_, n) => `${n}\n`).join("")}`;
  const only = [{ name: "id", type: "int64", nullable: false }];
  await inForce("limited", { columns: only, rowsMax: 3 });
  const atEdge = await plan("edge.limited", bad(3, 1));
  await stage(atEdge);
  expect(await commit(atEdge)).toEqual({ state: "PARTIAL" });
  const beyond = await plan("beyond.limited", bad(4, 100));
  await expect(stage(beyond)).rejects.toMatchObject({
    type: "QUARANTINE_THRESHOLD",
    nonRetryable: true,
    message: expect.stringMatching(/^4 rows .* at most 3.*row 1: id "x" is not a value of type int64 \(4 rows/) as string,
  });
  await inForce("limited", { columns: only, shareMax: 0.25 });
  const quarter = await plan("quarter.limited", bad(25, 75));
  await stage(quarter);
  expect(await commit(quarter)).toEqual({ state: "PARTIAL" });
  const more = await plan("more.limited", bad(26, 74));
  await expect(stage(more)).rejects.toMatchObject({
    type: "QUARANTINE_THRESHOLD",
    message: expect.stringContaining("25% of 100") as string,
  });
  await inForce("limited", { columns: only, rowsMax: 0 });
  const none = await plan("none.limited", bad(0, 5));
  await stage(none);
  expect(await commit(none)).toEqual({ state: "COMPLETED" });
  for (const jobId of [beyond, more]) {
    expect(await rejectedOf(jobId)).toEqual([]);
    expect(await ledger(jobId)).toEqual([]);
  }
  expect((await readResults(join(fixture.output, "limited"))).map(({ rows }) => rows).toSorted()).toEqual([1, 5, 75]);
});

test("a worker that dies between staging and commit leaves nothing in quarantine, whichever way the job goes on", async () => {
  const { db } = fixture.database;
  const all = async (jobId: string) =>
    (
      await db.query<{ state: string }>("select attempt || ' ' || state as state from cf_quarantine where job_id = $1 order by 1", [jobId])
    ).rows.map(({ state }) => state);
  // Staged and not committed: another worker goes on with the commit, twice at once.
  const again = await plan("b.typed", mixed);
  await stage(again);
  expect(await all(again)).toEqual(Array(5).fill("1 STAGED"));
  expect(await stage(again)).toMatchObject({ outcome: "STAGED", attempt: 1 });
  expect(await Promise.all([commit(again), commit(again)])).toEqual([{ state: "PARTIAL" }, { state: "PARTIAL" }]);
  expect(await all(again)).toEqual(Array(5).fill("1 QUARANTINED"));
  // Staged and lost: the next attempt takes the rows away with the files, and has its own.
  const lost = await plan("c.typed", mixed);
  await stage(lost);
  await db.query("update cf_job_attempt set outcome = 'LOST' where job_id = $1", [lost]);
  await stage(lost);
  expect(await all(lost)).toEqual(Array(5).fill("2 STAGED"));
  // Cancelled before the commit.
  await act(fixture.activities.endJob, {
    jobId: lost,
    state: "CANCELLED" as const,
    error: { code: "CANCELLED", message: "by an operator" },
  });
  expect(await all(lost)).toEqual([]);
  expect(await ledger(lost)).toEqual(["DISCARDED 8 8 3 5 3", "DISCARDED 8 8 3 5 3"]);
  // The record refuses to commit where a row of the quarantine is gone.
  const robbed = await plan("d.typed", mixed);
  await stage(robbed);
  await db.query("delete from cf_quarantine where job_id = $1 and row_number = 2", [robbed]);
  await expect(commit(robbed)).rejects.toMatchObject({
    type: "LEDGER_UNBALANCED",
    message: expect.stringContaining("4 are in quarantine") as string,
  });
});

test("the first rows propose a contract; frozen, it refuses other columns and keeps the difference; evolving, it becomes wider with the commit", async () => {
  const { db } = fixture.database;
  await fixture.publish("shape", `import json\n\nclass Handler:\n    def execute(self, file_path):\n        yield [json.loads(line) for line in open(file_path)]\n`, "*.shape"); // prettier-ignore
  const run = async (name: string, row: object) => {
    const jobId = await plan(name, JSON.stringify(row));
    await stage(jobId);
    return { jobId, ...(await commit(jobId)) };
  };
  const versions = async () =>
    (await listContracts(db, { plugin: "shape" })).map(({ version, state, columns: found, policy }) => [
      version,
      state,
      policy,
      found.map(({ name, type }) => `${name} ${type}`).join(),
    ]);
  await run("1.shape", { a: 1, b: true });
  expect(await versions()).toEqual([[1, "PROPOSED", "evolve", "a int64,b bool"]]);
  await run("2.shape", { a: 1 });
  expect(await versions()).toHaveLength(1);
  const [proposed] = await listContracts(db, { plugin: "shape" });
  await transaction(db, (tx) => approveContract(tx, proposed!.id));

  const added = await plan("3.shape", JSON.stringify({ b: false, a: 2, c: 1.5 }));
  await stage(added);
  expect(await versions()).toHaveLength(1);
  expect(await commit(added)).toEqual({ state: "COMPLETED" });
  expect(await versions()).toEqual([
    [2, "APPROVED", "evolve", "a int64,b bool,c double"],
    [1, "RETIRED", "evolve", "a int64,b bool"],
  ]);
  const narrow = await plan("4.shape", JSON.stringify({ a: "x", b: true }));
  await expect(stage(narrow)).rejects.toMatchObject({
    type: "CONTRACT_DRIFT",
    message: expect.stringMatching(/narrowed a: int64 → (large_)?string; removed c: double/) as string,
  });
  await transaction(db, async (tx) => {
    const [current] = await listContracts(tx, { plugin: "shape" });
    await approveContract(tx, await insertContract(tx, { ...current!, policy: "freeze" }));
  });
  const frozen = await plan("5.shape", JSON.stringify({ a: 1, b: true, c: 1.5, d: 1 }));
  await expect(stage(frozen)).rejects.toMatchObject({
    type: "CONTRACT_DRIFT",
    message: expect.stringContaining("added d: int64") as string,
  });
  expect(await run("6.shape", { c: 1.5, a: 1, b: null })).toMatchObject({ state: "COMPLETED" });
  const { rows } = await db.query(
    `select d.job_id, d.refused, d.changes ->> 0 as first from cf_contract_drift d join cf_contract c on c.id = d.contract_id
     where c.plugin_name = 'shape' order by d.id`,
  );
  expect(rows).toEqual([
    { job_id: added, refused: false, first: expect.stringContaining('"added"') as string },
    { job_id: narrow, refused: true, first: expect.stringContaining('"narrowed"') as string },
    { job_id: frozen, refused: true, first: expect.stringContaining('"added"') as string },
  ]);
});
