import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { runPython } from "../support/python.ts";
import { replaySteps } from "../support/replay-fixture.ts";
import { textPlugin } from "../support/samples.ts";

let fixture: JobFixture;
let steps: ReturnType<typeof replaySteps>;
beforeAll(async () => {
  fixture = await createJobFixture();
  steps = replaySteps(fixture);
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** Three batches of one row each; the second one breaks a check. */
const table = `pa.table({
    "n": pa.array([1, 20, 3], pa.int64()),
    "amount": pa.array([D("1.10"), D("123456789012345678901234567.8901"), None], pa.decimal128(31, 4)),
    "at": pa.array([0, -1, 1700000000123456], pa.timestamp("us", "Europe/Berlin")),
    "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
    "tags": pa.array([["x"], ["y", None, "more than twelve bytes"], None], pa.list_(pa.string_view())),
    "point": pa.array([{"x": 1.5, "m": [("k", b"1")]}, {"x": None, "m": [("a", b"2"), ("b", None)]}, None],
        pa.struct([("x", pa.float32()), ("m", pa.map_(pa.string(), pa.binary()))])),
})`;
const plugin = `from decimal import Decimal as D
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        table = ${table.replaceAll("\n", "\n    ")}
        for batch in table.to_batches(max_chunksize=1):
            yield batch
`;
const check = `import sys, pyarrow as pa, pyarrow.parquet as pq
from decimal import Decimal as D
given = ${table}
(path,) = [p for p in __import__("pathlib").Path(sys.argv[1]).glob("*.r*.parquet")]
found = pq.read_table(path).select(given.column_names)
found.validate(full=True)
assert found.schema.types == given.schema.types, found.schema
assert found.to_pylist() == given.slice(1, 1).to_pylist(), found.to_pylist()
print("equal")
`;

test("a replayed row has, for pyarrow, exactly the types and values that the plugin gave it", async () => {
  await steps.plugin("typed", undefined, plugin);
  const { jobId: first } = await steps.process("first.typed", "x");
  const { rows } = await fixture.database.db.query<{ columns: { name: string; type: string; nullable: boolean }[] }>(
    "select given_columns as columns from cf_job_output where job_id = $1",
    [first],
  );
  const columns = rows[0]!.columns;
  await steps.contract(
    "typed",
    columns.map((column) => (column.name === "n" ? { ...column, checks: { max: "9" } } : column)),
    { policy: "freeze" },
  );
  const { jobId, state } = await steps.process("second.typed", "x");
  expect(state).toBe("PARTIAL");
  await steps.contract("typed", columns, { policy: "freeze" });
  expect((await steps.replay(jobId)).state).toBe("COMPLETED");
  const stdout = await runPython(check, [join(fixture.output, "typed")]);
  expect(stdout).toBe("equal");
});

test("a contract that takes the columns no more fails the replay in its words, and a dry run tells before", async () => {
  await steps.plugin("drifts");
  await steps.contract("drifts", [{ name: "n", type: "int64", nullable: true, checks: { max: "9" } }]);
  const { jobId } = await steps.process("a.drifts", "n\n1\n20\n");
  await steps.contract("drifts", [{ name: "n", type: "int64", nullable: true }]);
  const replay = await steps.queue(jobId);
  await steps.contract("drifts", [{ name: "n", type: "int64", nullable: true }], { policy: "freeze" });
  await expect(steps.stage(replay)).rejects.toMatchObject({ type: "CONTRACT_DRIFT", nonRetryable: true });
  expect((await steps.ask(jobId)).outputs).toMatchObject([{ rowsPassing: 0, refusal: expect.stringContaining("narrowed n") as string }]);
});

test("rows of which only the text is kept, and those that the plugin set aside, stay; the others of their job are replayed", async () => {
  const setsAside = `${textPlugin}        yield "_quarantine", [{"_cf_reason": "unreadable", "n": "?"}]\n`;
  await steps.plugin("texts", undefined, setsAside);
  await steps.contract("texts", [{ name: "n", type: "int64", nullable: true, checks: { max: "9" } }]);
  const { jobId } = await steps.process("a.texts", "n\n1\n20\n30\n");
  await fixture.database.db.query("update cf_quarantine set piece = null where job_id = $1 and row_number = 2", [jobId]);
  expect((await steps.ask(jobId)).outputs).toMatchObject([{ rowsOpen: 3, rowsRefused: 1, rowsByPlugin: 1, rowsAsText: 1 }]);
  await steps.contract("texts", [{ name: "n", type: "int64", nullable: true }]);
  const replay = await steps.queue(jobId);
  expect(await steps.commit(replay, await steps.stage(replay))).toEqual({ state: "COMPLETED" });
  expect((await steps.quarantine(jobId)).map(([, by]) => by)).toEqual([null, replay, null]);
});

test("an output whose columns the contract takes no more doesn't keep the others of its job from being replayed", async () => {
  const pair = `${textPlugin}        yield "other", pa.table(columns, names=names)\n`;
  await steps.plugin("pair", undefined, pair);
  const strict = [{ name: "n", type: "int64", nullable: true, checks: { max: "9" } }] as const;
  const loose = [{ name: "n", type: "int64", nullable: true }] as const;
  await steps.contract("pair", strict);
  await steps.contract("pair", strict, { output: "other" });
  const { jobId } = await steps.process("a.pair", "n\n1\n20\n");
  await steps.contract("pair", loose);
  await steps.contract("pair", loose, { output: "other", policy: "freeze" });
  const replay = await steps.replay(jobId);
  expect(await steps.ledger(replay.jobId)).toEqual(["COMMITTED 1 1 1 0 1"]);
  expect((await steps.quarantine(jobId)).map(([, by]) => by).toSorted()).toEqual([replay.jobId, null]);
  await steps.contract("pair", loose, { output: "other" });
  expect((await steps.replay(jobId)).state).toBe("COMPLETED");
});
