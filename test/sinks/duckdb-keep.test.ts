import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createDuckdbSink } from "../../sinks/duckdb.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { lineage, numbers, type requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { openDuckdbKind, type DuckdbKind } from "./duckdb-target.ts";

let kind: DuckdbKind;
let sink: ReturnType<typeof createDuckdbSink>;
let uri: string;
beforeAll(async () => {
  kind = await openDuckdbKind({ keeps: true });
  sink = createDuckdbSink({ baseDir: kind.baseDir });
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  // Absolute, because other processes use it.
  uri = kind.newUri().replace("duckdb://", `duckdb://${kind.baseDir}/`);
});

const version = (number: number, rows: number, changes: Parameters<typeof requestFor>[1] = {}): Promise<StagedOutput> =>
  stageIn(sink, uri, numbers(rows), {
    mode: "replace",
    jobId: String(number),
    lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
    ...changes,
  });

async function keptTables(): Promise<readonly string[]> {
  const sql = "select table_name from duckdb_tables() where schema_name = '_casparian' and table_name <> 'result' order by 1";
  const found = (await kind.query(kind.pathOf(uri), sql)) as readonly (readonly [string])[];
  return found.map(([name]) => name);
}

/** Job and rows in each table of what was kept. */
async function kept(): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for (const name of await keptTables())
    all.push(
      await kind.query(
        kind.pathOf(uri),
        `select _cf_job_id, count(*), sum(n)::bigint from _casparian."${name}" group by _cf_job_id order by _cf_job_id`,
      ),
    );
  return all;
}

test("a result and what has joined it go into one table when they are replaced, once, and the next that are into another", async () => {
  const first = await version(1, 10);
  const joined = await version(2, 3, { mode: "append", isJoining: true, lineage: { ...lineage, jobId: "2", fileVersionId: "1" } });
  const [second, third] = [await version(3, 5), await version(4, 2)];
  for (const staged of [first, joined]) await sink.commit(staged);
  expect(await kept()).toEqual([]);
  for (let time = 0; time < 3; time += 1) await sink.commit(second, [first, joined]);
  const before = [
    [1, 10, 45],
    [2, 3, 3],
  ];
  expect(await kept()).toEqual([before]);
  await sink.commit(third, [second]);
  expect(await kept()).toEqual([before, [[3, 5, 10]]]);
  expect(await kind.read(uri)).toEqual({ rows: 2, sum: 1, jobs: ["4"] });
  expect(await sink.isCommitted(second)).toBe(false);
});

test("all that is overwritten is kept, and what the same job wrote is not touched", async () => {
  const earlier = [await version(1, 10, { mode: "append" }), await version(2, 5, { mode: "append", locationId: "8" })];
  for (const staged of earlier) await sink.commit(staged);
  const alone = [await version(3, 3, { mode: "overwrite" }), await version(3, 4, { mode: "overwrite", output: "other" })];
  for (const staged of [...alone, ...alone]) await sink.commit(staged, earlier);
  expect(await kept()).toEqual([
    [
      [1, 10, 45],
      [2, 5, 10],
    ],
  ]);
  await sink.commit(await version(4, 1, { mode: "overwrite" }), alone);
  expect((await kept()).flat()).toContainEqual([3, 7, 9]);
});

test("the same result by another job takes its place and keeps it, and that of an earlier attempt is not kept", async () => {
  await sink.commit(await version(1, 10));
  const again = await version(1, 10, { attempt: 2 });
  await sink.commit(again);
  expect(await kept()).toEqual([]);
  await sink.commit(await version(2, 5, { lineage: { ...lineage, jobId: "2", fileVersionId: "1" } }), [again]);
  expect(await kept()).toEqual([[[1, 10, 45]]]);
  expect(await kind.read(uri)).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
});

test("nothing is kept without the parameter, and tables of what was kept may be dropped", async () => {
  const [first, second, third] = [await version(1, 10), await version(2, 5), await version(3, 4)];
  await sink.commit(first);
  await sink.commit(second, [first]);
  const [table] = await keptTables();
  await kind.change(kind.pathOf(uri), `drop table _casparian."${table}"`);
  await sink.commit(third, [second]);
  expect(await kept()).toEqual([[[2, 5, 10]]]);
  const last = await version(4, 1, { uri: first.uri });
  expect(last.uri).toBe(first.uri);
  await sink.commit(last, [third]);
  expect(await kept()).toEqual([[[2, 5, 10]]]);
});

test("a commit that is killed at any moment has kept what it replaced, or has not and left it, and can be repeated", async () => {
  const rows = 100_000;
  let present = await version(1, rows + 1);
  await sink.commit(present);
  const script = join(import.meta.dirname, "commit-staged.ts");
  for (let number = 2; number <= 4; number += 1) {
    const next = await version(number, rows + number);
    const child = execa(process.execPath, [script, JSON.stringify(next), JSON.stringify([present])], { reject: false, stderr: "inherit" });
    try {
      await once(createInterface({ input: child.stdout }), "line");
      // At various moments: whatever they hit, the same must hold.
      await sleep(150 * (number - 2));
    } finally {
      child.kill("SIGKILL");
      await child;
    }
    const { jobs } = await kind.read(uri);
    expect((await keptTables()).length).toBe(jobs[0] === String(number) ? number - 1 : number - 2);
    await sink.commit(next, [present]);
    expect(await kind.read(uri)).toMatchObject({ rows: rows + number, jobs: [String(number)] });
    present = next;
  }
  expect((await kept()).map((found) => (found as readonly (readonly number[])[]).map(([job, count]) => [job, count]))).toEqual(
    [1, 2, 3].map((job) => [[job, rows + job]]),
  );
});
