import { afterAll, expect, test, vi } from "vitest";
import { createEncodePool } from "../../sinks/parquet/encode-pool.ts";
import type { EncodeJob } from "../../sinks/parquet/encode-thread.ts";
import { createPartPipeline } from "../../sinks/parquet/part-pipeline.ts";
import { numbers } from "./arrow.ts";
import { patience } from "../support/patience.ts";

const pool = createEncodePool(2);
afterAll(() => pool.close());

test("parts are delivered in order, though the first take longest", async () => {
  const sizes: number[] = [];
  const pipeline = createPartPipeline({ pool, partsMax: 3, deliver: async (file) => void sizes.push(file.length) });
  const rows = [300_000, 10, 100_000, 10, 50_000, 10];
  for (const count of rows) await pipeline.send(() => jobOf(count));
  await pipeline.drain();
  const alone = await Promise.all(rows.map((count) => encodeAlone(count)));
  expect(sizes).toEqual(alone);
});

test("a slow disk holds the sender back: no more parts are taken than may be under way", async () => {
  const disk = Promise.withResolvers<void>();
  let [taken, delivered] = [0, 0];
  const pipeline = createPartPipeline({
    pool,
    partsMax: 3,
    deliver: async () => {
      await disk.promise;
      delivered += 1;
    },
  });
  const sending = (async () => {
    for (let part = 0; part < 8; part++)
      await pipeline.send(() => {
        taken += 1;
        return jobOf(10);
      });
    await pipeline.drain();
  })();
  await vi.waitFor(() => expect(taken).toBe(3), patience);
  // Both threads are free again, and yet nothing more is taken.
  for (const thread of await Promise.all([pool.acquire(), pool.acquire()])) thread.release();
  await encodeAlone(10);
  expect([taken, delivered]).toEqual([3, 0]);
  disk.resolve();
  await sending;
  expect([taken, delivered]).toEqual([8, 8]);
});

test("after a failure nothing more is delivered, and every call says what failed", async () => {
  const delivered: number[] = [];
  const pipeline = createPartPipeline({
    pool,
    partsMax: 3,
    deliver: async (file) => {
      if (delivered.length === 1) throw new Error("the disk is full");
      delivered.push(file.length);
    },
  });
  await pipeline.send(() => jobOf(10));
  await pipeline.drain();
  await pipeline.send(() => jobOf(20));
  await expect(pipeline.drain()).rejects.toThrow("the disk is full");
  await expect(pipeline.send(() => jobOf(30))).rejects.toThrow("the disk is full");
  await expect(pipeline.drain()).rejects.toThrow("the disk is full");
  await pipeline.stop();
  expect(delivered).toHaveLength(1);
  // The thread that the failed part would have had is free for others.
  await encodeAlone(10);
});

test("a stopped pipeline delivers nothing that is under way", async () => {
  let delivered = 0;
  const pipeline = createPartPipeline({ pool, partsMax: 3, deliver: async () => void (delivered += 1) });
  await pipeline.send(() => jobOf(100_000));
  await pipeline.stop();
  await pipeline.send(() => jobOf(10));
  await pipeline.drain();
  expect(delivered).toBe(0);
});

function jobOf(rows: number): EncodeJob {
  const bytes = numbers(rows);
  const stream = new ArrayBuffer(bytes.length);
  new Uint8Array(stream).set(bytes);
  return { stream, bytes: bytes.length, convertFrom: undefined, deltaColumns: [] };
}

async function encodeAlone(rows: number): Promise<number> {
  const thread = await pool.acquire();
  return (await thread.encode(jobOf(rows))).length;
}
