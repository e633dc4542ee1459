import { expect, test } from "vitest";
import type { Sink, StagedOutput } from "../../sinks/sink.ts";
import { lineage, numbers, type requestFor } from "./arrow.ts";
import { stageIn, type Found } from "./conformance.ts";

/** A target with `keep=replaced`, and what an independent reader finds of the rows that it keeps. */
export interface KeepingTarget {
  readonly sink: Sink;
  readonly uri: string;
  read(): Promise<Found>;
  /** Tables of rows that were replaced, in the order in which they were made. */
  keptTables(): Promise<readonly string[]>;
  /** Job, count and sum of the rows of one of them, by job. */
  rowsOf(table: string): Promise<readonly KeptRows[]>;
  drop(table: string): Promise<void>;
}

export type KeptRows = readonly [job: number, rows: number, sum: number];

/** Results for a target and the rows that it keeps, each test with a target of its own. */
export function keeping(target: () => KeepingTarget) {
  return {
    version: (number: number, rows: number, changes: Parameters<typeof requestFor>[1] = {}): Promise<StagedOutput> =>
      stageIn(target().sink, target().uri, numbers(rows), {
        mode: "replace",
        jobId: String(number),
        lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
        ...changes,
      }),
    async kept(): Promise<readonly (readonly KeptRows[])[]> {
      const tables = await target().keptTables();
      return Promise.all(tables.map((table) => target().rowsOf(table)));
    },
  };
}

/** What every sink of tables that keeps replaced rows has in common. */
export function describeKeeping(target: () => KeepingTarget): void {
  const { version, kept } = keeping(target);

  test("a result and what has joined it go into one table when they are replaced, once, and the next that are into another", async () => {
    const { sink } = target();
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
    expect(await target().read()).toEqual({ rows: 2, sum: 1, jobs: ["4"] });
    expect(await sink.isCommitted(second)).toBe(false);
  });

  test("all that is overwritten is kept, and what the same job wrote is not touched", async () => {
    const { sink } = target();
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
    expect(await target().read()).toEqual({ rows: 1, sum: 0, jobs: ["4"] });
  });

  test("the same result by another job takes its place and keeps it, and that of an earlier attempt is not kept", async () => {
    const { sink } = target();
    await sink.commit(await version(1, 10));
    const again = await version(1, 10, { attempt: 2 });
    await sink.commit(again);
    expect(await kept()).toEqual([]);
    await sink.commit(await version(2, 5, { lineage: { ...lineage, jobId: "2", fileVersionId: "1" } }), [again]);
    expect(await kept()).toEqual([[[1, 10, 45]]]);
    expect(await target().read()).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
  });

  test("nothing is kept without the parameter", async () => {
    const { sink } = target();
    const first = await version(1, 10);
    await sink.commit(first);
    const next = await version(2, 5, { uri: first.uri });
    expect(next.uri).toBe(first.uri);
    await sink.commit(next, [first]);
    expect(await kept()).toEqual([]);
    const last = await version(3, 4);
    await sink.commit(last, [next]);
    expect(await kept()).toEqual([[[2, 5, 10]]]);
  });

  test("tables of what was kept may be dropped, also while results are replaced", async () => {
    const { sink, drop, keptTables } = target();
    const [first, second, third] = [await version(1, 10), await version(2, 5), await version(3, 4)];
    await sink.commit(first);
    await sink.commit(second, [first]);
    for (const table of await keptTables()) await drop(table);
    await sink.commit(third, [second]);
    expect(await kept()).toEqual([[[2, 5, 10]]]);
  });
}
