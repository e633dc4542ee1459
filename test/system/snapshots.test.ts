import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readResults } from "../support/parquet.ts";
import { listJobs, testProduct } from "../support/product.ts";
import { csv, slowPlugin } from "../support/samples.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();
const jobs = () => listJobs(product);

test("a file that is overwritten before its job ran gives the rows of both versions, and the old one can be had again", async () => {
  await product.write("casparian.toml", "[worker]\nconcurrency = 1\n");
  await product.json("source", "set", "inbox", "--snapshots", "--keep-count", "1");
  // One job at a time, of some seconds each: the second one waits while its file is overwritten.
  await product.json("plugin", "publish", await product.write("slow.py", slowPlugin(4)));
  const running = await product.start();
  await writeFile(join(product.inbox, "first.csv"), csv(3));
  await vi.waitFor(async () => expect((await jobs()).map(({ state }) => state)).toEqual(["RUNNING"]), { ...patience, interval: 100 });
  await writeFile(join(product.inbox, "second.csv"), csv(5));
  await vi.waitFor(async () => expect(await jobs()).toHaveLength(2), { ...patience, interval: 50 });
  await writeFile(join(product.inbox, "second.csv"), csv(50));
  await vi.waitFor(async () => expect(await jobs()).toHaveLength(3), { ...patience, interval: 50 });
  // Only the newest version's copy is to be kept, and the one that waits needs the other.
  expect(await product.json("snapshots", "prune")).toMatchObject({ contents: 0, awaited: 1 });

  await vi.waitFor(async () => expect((await jobs()).map(({ state }) => state)).toEqual(["COMPLETED", "COMPLETED", "COMPLETED"]), {
    ...patience,
    interval: 200,
  });
  const results = await readResults(join(product.home, "output"));
  expect(results.map(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual([3, 5, 50]);
  await product.json("versions", "second.csv", "--save", "1", join(product.home, "old.csv"));
  expect(await product.json("snapshots", "prune")).toMatchObject({ contents: 1, awaited: 0 });
  expect((await product.run("snapshots", "--verify")).exitCode).toBe(0);
  await running.stop();
});
