import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Connections } from "../../domain/connection.ts";
import { createBatchReader } from "../../arrow/column.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import { createSinks, type Sinks } from "../../sinks/registry.ts";
import type { Sink, SinkWriter, StagedOutput } from "../../sinks/sink.ts";
import { lineage, messagesOf, numbersFor, requestFor } from "./arrow.ts";

/** A kind of target, as the suite sees it. */
export interface TargetKind {
  /** Relative URIs are below this. */
  readonly baseDir: string;
  /** Servers that URIs may name; processes that the suite starts find the same ones in their environment. */
  readonly connections?: Connections;
  /** The URI of a target that nobody has used. */
  newUri(): string;
  /** What an independent reader of the target finds. */
  read(uri: string): Promise<Found>;
  /** All that lies in the target and is neither a committed row nor a replaced result. The target itself may have been made, as an empty folder or table. */
  traces(uri: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface Found {
  readonly rows: number;
  /** The sum of the column `n`. */
  readonly sum: number;
  /** Distinct job ids of the rows, sorted. */
  readonly jobs: readonly string[];
}

/** What `sink.ts` asks of every sink, tried on a real target. */
export function describeSink(name: string, openKind: () => Promise<TargetKind>): void {
  describe(`${name} keeps the contract of sinks`, () => {
    let kind: TargetKind;
    let uri: string;
    let sinks: Sinks;
    let other: Sinks;
    let sink: Sink;
    beforeAll(async () => {
      kind = await openKind();
      // Two of them, as two processes have.
      [sinks, other] = [createSinks(kind), createSinks(kind)];
    });
    afterAll(async () => {
      await Promise.all([sinks.close(), other.close()]);
      await kind.close();
    });
    beforeEach(() => {
      uri = kind.newUri();
      sink = sinks.forUri(uri);
    });
    const none: Found = { rows: 0, sum: 0, jobs: [] };
    const all: Found = { rows: 10, sum: 45, jobs: [lineage.jobId] };

    test("nothing is visible before commit, everything after it, and nothing else remains", async () => {
      const writer = await openFor(sink, uri);
      await writeTo(writer, numbersFor(uri, 10));
      expect(await kind.read(uri)).toEqual(none);
      const staged = await writer.stage();
      expect(await kind.read(uri)).toEqual(none);
      await sink.commit(staged);
      expect(await kind.read(uri)).toEqual(all);
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("the description holds the counts and the columns, and survives being stored as JSON", async () => {
      const staged = await stageIn(sink, uri, numbersFor(uri, 10));
      expect(staged).toMatchObject({ uri, mode: "append", output: "out", rowsWritten: 10, rowsReadBack: 10 });
      expect(staged.sizeBytes).toBeGreaterThan(0);
      const own = messagesOf(numbersFor(uri, 0)).schema;
      const names = createBatchReader(own).schema.fields.map(({ name: column }) => column);
      expect(staged.columns.map((column) => column.name)).toEqual([...names, ...lineageColumns]);
      expect(staged.columns[0]).toEqual({ name: "n", type: "int64", nullable: true });
      await sink.commit(JSON.parse(JSON.stringify(staged)) as StagedOutput);
      expect(await kind.read(uri)).toEqual(all);
    });

    test("an output without rows has a result", async () => {
      const staged = await stageIn(sink, uri, numbersFor(uri, 0));
      expect(staged).toMatchObject({ rowsWritten: 0, rowsReadBack: 0 });
      await sink.commit(staged);
      expect(await kind.read(uri)).toEqual(none);
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("many commits, at once and one after the other, have the effect of one", async () => {
      const staged = await stageIn(sink, uri, numbersFor(uri, 10));
      await Promise.all(Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? sink : other.forUri(uri)).commit(staged)));
      await sink.commit(staged);
      expect(await kind.read(uri)).toEqual(all);
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("a discard leaves no trace, may be repeated, and is final", async () => {
      const staged = await stageIn(sink, uri, numbersFor(uri, 10));
      await sink.discard(staged);
      expect(await kind.traces(uri)).toEqual([]);
      await sink.discard(staged);
      await expect(sink.commit(staged)).rejects.toThrow(TerminalFailure);
      expect(await kind.read(uri)).toEqual(none);
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("a discard after a commit changes nothing", async () => {
      const staged = await stageIn(sink, uri, numbersFor(uri, 10));
      await sink.commit(staged);
      await other.forUri(uri).discard(staged);
      expect(await kind.read(uri)).toEqual(all);
    });

    test("an aborted writer leaves no trace, whenever it is aborted and however often", async () => {
      const atOnce = await openFor(sink, uri);
      const midway = await openFor(sink, uri);
      await writeTo(midway, numbersFor(uri, 10));
      const late = await openFor(sink, uri);
      await writeTo(late, numbersFor(uri, 10));
      await late.stage();
      for (const writer of [atOnce, midway, late, atOnce, midway, late]) await writer.abort();
      expect(await kind.traces(uri)).toEqual([]);
      expect(await kind.read(uri)).toEqual(none);
      await expect(midway.stage()).rejects.toThrow(TerminalFailure);
    });

    test("results are added to what is there, and outputs of one job may share a target", async () => {
      const second = { ...lineage, jobId: "2", fileVersionId: "2" };
      const outputs = [
        await stageIn(sink, uri, numbersFor(uri, 10)),
        await stageIn(sink, uri, numbersFor(uri, 10), { output: "other" }),
        await stageIn(other.forUri(uri), uri, numbersFor(uri, 10), { jobId: "2", lineage: second }),
        await stageIn(sink, uri, numbersFor(uri, 10), { artifactHash: "c".repeat(64) }),
      ];
      await Promise.all(outputs.map((staged) => sink.commit(staged)));
      expect(await kind.read(uri)).toEqual({ rows: 40, sum: 180, jobs: ["2", lineage.jobId] });
    });

    test("a result that an earlier attempt left is visible once", async () => {
      const first = await stageIn(sink, uri, numbersFor(uri, 10), { attempt: 1 });
      const again = await stageIn(sink, uri, numbersFor(uri, 10), { attempt: 2 });
      await sink.commit(first);
      await sink.commit(again);
      await sink.commit(again);
      await sink.discard(first);
      expect(await kind.read(uri)).toEqual(all);
    });

    test("rows are those that were given, though the sender uses its buffer again", async () => {
      const { schema, messages } = messagesOf(numbersFor(uri, 500_000, 16));
      const writer = await openFor(sink, uri);
      expect(schema.rows).toBe(0);
      const buffer = new Uint8Array(Math.max(...messages.map(({ bytes }) => bytes.length)));
      for (const { bytes, ...message } of messages) {
        buffer.set(bytes);
        await writer.write({ ...message, bytes: buffer.subarray(0, bytes.length) });
        buffer.fill(0xff);
      }
      await sink.commit(await writer.stage());
      expect(await kind.read(uri)).toEqual({ rows: 500_000, sum: (499_999 * 500_000) / 2, jobs: [lineage.jobId] });
    });

    test("what a killed process has staged is committed by another", async () => {
      const staged = await stageInKilledProcess(kind.baseDir, uri);
      expect(await kind.read(uri)).toEqual(none);
      await sink.commit(staged);
      expect(await kind.read(uri)).toEqual(all);
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("what a killed process has left is swept, what live attempts have staged is not", async () => {
      const alive = await stageIn(sink, uri, numbersFor(uri, 10), { jobId: "77", attempt: 3 });
      await stageInKilledProcess(kind.baseDir, uri);
      const asked: string[] = [];
      const isAlive = async (jobId: string, attempt: number): Promise<boolean> => {
        asked.push(`${jobId}/${attempt}`);
        return jobId === "77";
      };
      expect(await sink.sweep(uri, isAlive)).toHaveLength(1);
      expect(await sink.sweep(uri, isAlive)).toEqual([]);
      expect(asked).toContain("77/3");
      expect(asked).toContain(`${lineage.jobId}/1`);
      await sink.commit(alive);
      expect(await kind.read(uri)).toMatchObject({ rows: 10 });
      expect(await kind.traces(uri)).toEqual([]);
    });

    test("a target that nobody has used can be swept", async () => {
      expect(await sink.sweep(uri, async () => false)).toEqual([]);
      expect(await kind.traces(uri)).toEqual([]);
    });
  });
}

function openFor(sink: Sink, uri: string, changes: Parameters<typeof requestFor>[1] = {}): Promise<SinkWriter> {
  return sink.open(requestFor(messagesOf(numbersFor(uri, 0)).schema, { uri, ...changes }));
}

async function writeTo(writer: SinkWriter, stream: Uint8Array): Promise<void> {
  for (const message of messagesOf(stream).messages) await writer.write(message);
}

export async function stageIn(
  sink: Sink,
  uri: string,
  stream: Uint8Array,
  changes: Parameters<typeof requestFor>[1] = {},
): Promise<StagedOutput> {
  const writer = await openFor(sink, uri, changes);
  await writeTo(writer, stream);
  return writer.stage();
}

/** Ten rows, by a process that dies without a word after it has staged them. */
async function stageInKilledProcess(baseDir: string, uri: string): Promise<StagedOutput> {
  const child = execa(process.execPath, [join(import.meta.dirname, "stage-and-wait.ts"), baseDir, uri], {
    reject: false,
    stderr: "inherit",
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  child.kill("SIGKILL");
  expect((await child).signal).toBe("SIGKILL");
  return JSON.parse(line) as StagedOutput;
}
