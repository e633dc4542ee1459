import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSinks, type Sinks } from "../../sinks/registry.ts";
import type { Sink, StagedOutput } from "../../sinks/sink.ts";
import { lineage, numbersFor, type requestFor } from "./arrow.ts";
import { stageIn, type TargetKind } from "./conformance.ts";

/** What `sink.ts` asks of results that take the place of others. */
export function describeModes(name: string, openKind: () => Promise<TargetKind>): void {
  describe(`${name} keeps the contract of modes`, () => {
    let kind: TargetKind;
    let uri: string;
    let sinks: Sinks;
    let sink: Sink;
    beforeAll(async () => {
      kind = await openKind();
      sinks = createSinks(kind);
    });
    afterAll(async () => {
      await sinks.close();
      await kind.close();
    });
    beforeEach(() => {
      uri = kind.newUri();
      sink = sinks.forUri(uri);
    });

    /** The result of a version of one file, by a job of the same number. */
    const version = (number: number, rows: number, changes: Parameters<typeof requestFor>[1] = {}): Promise<StagedOutput> =>
      stageIn(sink, uri, numbersFor(uri, rows), {
        mode: "replace",
        jobId: String(number),
        lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
        ...changes,
      });

    test("what is committed is told from what is staged, discarded or replaced", async () => {
      const [first, second, third] = [await version(1, 10), await version(2, 5), await version(3, 5)];
      expect(await sink.isCommitted(first)).toBe(false);
      await sink.commit(first);
      await sink.discard(third);
      expect([await sink.isCommitted(first), await sink.isCommitted(second), await sink.isCommitted(third)]).toEqual([true, false, false]);
      await sink.commit(second, [first]);
      expect([await sink.isCommitted(first), await sink.isCommitted(second)]).toEqual([false, true]);
    });

    test("a result takes the place of the earlier one, once, however often it is committed", async () => {
      const [first, second] = [await version(1, 10), await version(2, 5)];
      await sink.commit(first);
      expect(await kind.read(uri)).toEqual({ rows: 10, sum: 45, jobs: ["1"] });
      await Promise.all(Array.from({ length: 8 }, () => sink.commit(second, [first])));
      await sink.commit(second, [first]);
      expect(await kind.read(uri)).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("results of other files, outputs and plugins stay", async () => {
      const first = await version(1, 10);
      const others = [
        await version(2, 1, { locationId: "8", relPath: "in/other.csv" }),
        await version(3, 2, { output: "other" }),
        await version(4, 4, { pluginName: "quotes" }),
      ];
      for (const staged of [first, ...others]) await sink.commit(staged);
      await sink.commit(await version(5, 3), [first]);
      expect(await kind.read(uri)).toEqual({ rows: 10, sum: 0 + 1 + 6 + 3, jobs: ["2", "3", "4", "5"] });
    });

    test("whenever it is read, there is one result and all of it", async () => {
      let present = await version(1, 1);
      await sink.commit(present);
      const seen: number[] = [];
      let ended = false;
      const read = async () => {
        while (!ended) {
          const { rows, jobs } = await kind.read(uri);
          seen.push(rows);
          expect(jobs).toEqual([String(rows)]);
        }
      };
      const replace = async () => {
        for (let number = 2; number <= 12; number += 1) {
          const next = await version(number, number);
          await sink.commit(next, [present]);
          present = next;
        }
      };
      await Promise.all([read(), replace().finally(() => (ended = true))]);
      expect(seen.length).toBeGreaterThan(1);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    });

    test("results from before the mode was changed are replaced, too", async () => {
      const earlier = [await version(1, 10, { mode: "append" }), await version(2, 5, { mode: "append" })];
      for (const staged of earlier) await sink.commit(staged);
      const last = await version(3, 3);
      await sink.commit(last, earlier);
      await sink.commit(last, earlier);
      expect(await kind.read(uri)).toEqual({ rows: 3, sum: 3, jobs: ["3"] });
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("results that join another one are beside it, one for each job, and give way with it", async () => {
      const joining = (job: number, rows: number): Promise<StagedOutput> =>
        version(job, rows, { mode: "append", isJoining: true, lineage: { ...lineage, jobId: String(job), fileVersionId: "1" } });
      for (const mode of ["replace", "overwrite"] as const) {
        const target = { mode, locationId: mode } as const;
        const [first, joined] = [await version(1, 10, target), [await joining(2, 3), await joining(3, 4)]];
        await sink.commit(first);
        for (const staged of [...joined, ...joined]) await sink.commit(staged);
        expect(await kind.read(uri)).toEqual({ rows: 17, sum: 45 + 3 + 6, jobs: ["1", "2", "3"] });
        const next = await version(4, 2, target);
        for (let time = 0; time < 2; time += 1) await sink.commit(next, [first, ...joined]);
        expect(await kind.read(uri)).toEqual({ rows: 2, sum: 1, jobs: ["4"] });
        expect(await Promise.all([first, ...joined, next].map((staged) => sink.isCommitted(staged)))).toEqual([false, false, false, true]);
        uri = kind.newUri();
      }
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("an overwriting result is the only one in its target, with the other outputs of its job", async () => {
      const earlier = [
        await version(1, 10, { mode: "append" }),
        await version(2, 5, { mode: "append", locationId: "8", relPath: "in/other.csv" }),
      ];
      for (const staged of earlier) await sink.commit(staged);
      const alone = [await version(3, 3, { mode: "overwrite" }), await version(3, 4, { mode: "overwrite", output: "other" })];
      for (const staged of [...alone, ...alone]) await sink.commit(staged, earlier);
      expect(await kind.read(uri)).toEqual({ rows: 7, sum: 9, jobs: ["3"] });
      await sink.commit(await version(4, 2, { mode: "overwrite" }), alone);
      expect(await kind.read(uri)).toEqual({ rows: 2, sum: 1, jobs: ["4"] });
      expect(await kind.traces(uri)).toEqual([]);
    });
  });
}
