import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { createMssqlSink } from "../../sinks/mssql.ts";
import type { OpenRequest, Sink, StagedOutput } from "../../sinks/sink.ts";
import type { Interference, Step } from "../support/sql-server.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { failureOf } from "./failure-of.ts";
import { openMssqlKind, type MssqlKind } from "./mssql-target.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let kind: MssqlKind;
let sink: Sink;
let uri: string;
beforeAll(async () => {
  kind = await openMssqlKind();
  sink = createMssqlSink(kind);
});
beforeEach(() => {
  uri = kind.newUri();
});
afterEach(() => {
  kind.server.interfere = () => undefined;
});
afterAll(() => kind.close());

/** Has the stub interfere once, at the first step that fits. */
function interfereOnce(fits: (step: Step) => boolean, interference: Interference): void {
  let isOver = false;
  kind.server.interfere = (step) => {
    if (isOver || !fits(step)) return undefined;
    isOver = true;
    return interference;
  };
}

const statement =
  (part: string) =>
  (step: Step): boolean =>
    step.kind === "statement" && step.sql.includes(part);

describe("errors by number", () => {
  const passing = [1205, 1222, 40_501, 40_613, 49_918, 701, 922];
  test.each(passing)("%i may pass", async (number) => {
    const staged = await stageIn(sink, uri, numbers(2));
    interfereOnce(statement("insert into [dbo]"), { number, message: "own words" });
    const failure = await failureOf(sink.commit(staged));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure).toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringContaining("own words"),
      data: { errorNumber: number },
    });
    await sink.commit(staged);
    expect(await kind.read(uri)).toMatchObject({ rows: 2 });
  });

  const refused: readonly (readonly [number: number, hint: string])[] = [
    [229, "Grant"],
    [262, "Grant"],
    [1105, "Free room"],
    [9002, "Free room"],
    [511, "narrower columns"],
    [2627, "Correct the table"],
    [8152, "Correct the table"],
  ];
  test.each(refused)("%i is refused: %s …", async (number, hint) => {
    const staged = await stageIn(sink, uri, numbers(2));
    interfereOnce(statement("insert into [dbo]"), { number, message: "own words" });
    const failure = await failureOf(sink.commit(staged));
    expect(failure).toBeInstanceOf(TerminalFailure);
    expect(failure).toMatchObject({
      code: "SINK_REFUSED",
      message: expect.stringContaining("own words"),
      hint: expect.stringContaining(hint),
    });
    expect(await kind.read(uri)).toMatchObject({ rows: 0 });
    await sink.discard(staged);
  });

  test("a login that is refused for the moment is tried again, one for a wrong database is not", async () => {
    interfereOnce((step) => step.kind === "login", { number: 18_401, message: "Server is in script upgrade mode." });
    expect(await failureOf(stageIn(sink, uri, numbers(1)))).toBeInstanceOf(TransientFailure);
    interfereOnce((step) => step.kind === "login", { number: 18_452, message: "The login is from an untrusted domain." });
    expect(await failureOf(stageIn(sink, uri, numbers(1)))).toMatchObject({
      code: "SINK_REFUSED",
      hint: expect.stringContaining("Windows"),
    });
  });

  test("an error amid the rows is the writer's, and nothing stays", async () => {
    interfereOnce((step) => step.kind === "rows", { number: 1105, message: "Could not allocate space for object." });
    const failure = await failureOf(stageIn(sink, uri, numbers(100_000, 10)));
    expect(failure).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("Could not allocate space") });
    expect(await kind.traces(uri)).toEqual([]);
  });
});

describe("a connection that is lost", () => {
  /** The steps that some work takes. */
  const stepsOf = async (work: () => Promise<unknown>): Promise<number> => {
    let steps = 0;
    kind.server.interfere = () => void (steps += 1);
    await work();
    kind.server.interfere = () => undefined;
    return steps;
  };
  const cutAt = (at: number, how: "cut" | "cut after"): void => {
    let steps = 0;
    kind.server.interfere = () => ((steps += 1) === at ? how : undefined);
  };
  /** Each has a table of its own, with its rows. */
  const keptJobs = async (): Promise<readonly number[]> => {
    const tables = await kind.query(
      "select relname from pg_class where relnamespace = '_casparian'::regnamespace and relname like 'replaced%'",
    );
    const jobs: number[] = [];
    for (const [name] of tables) {
      const found = await kind.query(`select _cf_job_id, count(*) from _casparian."${name}" group by 1`);
      expect(found).toHaveLength(1);
      const [job, rows] = found[0]!.map(Number) as [number, number];
      expect(rows).toBe([10, 5][job - 1] ?? job - 2);
      jobs.push(job);
      await kind.query(`drop table _casparian."${name}"`);
    }
    return jobs.toSorted((a, b) => a - b);
  };
  const version = (number: number, rows: number, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> =>
    stageIn(sink, uri, numbers(rows), {
      mode: "replace",
      jobId: String(number),
      lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
      ...changes,
    });

  test.each([
    ["cut", false],
    ["cut after", false],
    ["cut", true],
    ["cut after", true],
  ] as const)(
    "at any step of a commit (%s; what is replaced is kept: %s) leaves the old result or the new one, and the next call the new one",
    async (how, keeps) => {
      if (keeps) uri = `${uri}?keep=replaced`;
      const first = await version(1, 10);
      await sink.commit(first);
      let previous = await version(2, 5);
      const steps = await stepsOf(() => sink.commit(previous, [first]));
      expect(steps).toBeGreaterThan(15);
      for (let at = 1; at <= steps; at += 1) {
        const next = await version(at + 2, at);
        cutAt(at, how);
        expect([at, (await failureOf(sink.commit(next, [previous]))).code]).toEqual([at, "SINK_UNREACHABLE"]);
        kind.server.interfere = () => undefined;
        const [before, after] = [previous, next].map(({ rowsWritten }, index) => ({ rows: rowsWritten, jobs: [String(at + 1 + index)] }));
        const { rows, jobs } = await kind.read(uri);
        expect([before, after]).toContainEqual({ rows, jobs });
        await sink.commit(next, [previous]);
        expect(await kind.read(uri)).toMatchObject(after!);
        previous = next;
      }
      expect(await kind.traces(uri)).toEqual([]);
      expect(await keptJobs()).toEqual(keeps ? Array.from({ length: steps + 1 }, (_, index) => index + 1) : []);
    },
  );

  test("at any step of writing leaves nothing but what a sweep removes", async () => {
    const write = (): Promise<StagedOutput> => stageIn(sink, uri, numbers(100_000, 20), { jobId: "7" });
    let staged: StagedOutput | null = null;
    const steps = await stepsOf(async () => {
      staged = await write();
    });
    await sink.discard(staged!);
    expect(steps).toBeGreaterThan(12);
    // Statements, and packets of rows that are not all of the same size.
    for (let at = 1; at <= Math.min(steps, 40); at += 1) {
      cutAt(at, "cut");
      const failure = await failureOf(write());
      expect([at, failure.code]).toEqual([at, "SINK_UNREACHABLE"]);
      kind.server.interfere = () => undefined;
      await sink.sweep(uri, async () => false);
      expect(await kind.traces(uri)).toEqual([]);
    }
    expect(await kind.read(uri)).toMatchObject({ rows: 0 });
    expect(await sink.sweep(uri, async () => false)).toEqual([]);
  });

  test("while nothing is written is told by the next write", async () => {
    const { schema, messages } = messagesOf(numbers(100_000, 4));
    const writer = await sink.open(requestFor(schema, { uri }));
    await writer.write(messages[0]!);
    interfereOnce((step) => step.kind === "rows", "cut");
    const failure = await failureOf(
      (async () => {
        for (const message of messages.slice(1)) await writer.write(message);
        await writer.stage();
      })(),
    );
    expect(failure.code).toBe("SINK_UNREACHABLE");
    await writer.abort();
    expect(await kind.traces(uri)).toEqual([]);
  });
});
