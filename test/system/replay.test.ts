import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readResults } from "../support/parquet.ts";
import { listJobs, testProduct } from "../support/product.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();

const plugin = `import pandas as pd

MANIFEST = {"pattern": "*.csv", "topic": "trades"}

class Handler:
    def execute(self, file_path):
        yield pd.read_csv(file_path, dtype=str)
`;
const contract = `policy = "quarantine"
[[columns]]
name = "id"
type = "int64"
max = 9
`;

interface Replayed {
  readonly jobs: readonly { readonly replayId: string | null; readonly outcome: string }[];
  readonly ended: readonly { readonly id: string; readonly state: string }[];
}

test("a replay runs as a job of its own, through a kill of everything, and its rows are there once", async () => {
  await product.json("plugin", "publish", await product.write("trades.py", plugin), "--name", "trades");
  await product.json("contract", "approve", "trades", "trades", "--file", await product.write("contract.toml", contract));
  await writeFile(join(product.inbox, "a.csv"), "id\n1\n20\n30\nx\n");
  const first = await product.start();
  const [job] = await vi.waitFor(
    async () => {
      const jobs = await listJobs(product);
      expect(jobs.map(({ state }) => state)).toEqual(["PARTIAL"]);
      return jobs as readonly [(typeof jobs)[number]];
    },
    { ...patience, interval: 200 },
  );
  await product.json("contract", "set", "trades", "--column", "id", "--max", "99");
  const asked = await product.json<Replayed>("quarantine", "replay", job.id);
  await first.killEverything();

  await product.start();
  // It has ended by now, or goes on where it was; asking for it once more joins it.
  const { ended } = await product.json<Replayed>("quarantine", "replay", job.id, "--wait").catch(() => ({ ended: [] }));
  const [{ replayId }] = asked.jobs as [Replayed["jobs"][number]];
  await vi.waitFor(async () => expect((await listJobs(product)).find(({ id }) => id === replayId)).toMatchObject({ state: "PARTIAL" }), {
    ...patience,
    interval: 200,
  });
  expect(ended.map(({ id }) => id)).toEqual(ended.length === 0 ? [] : [replayId]);
  const found = await readResults(join(product.home, "output/trades"));
  expect(found.map(({ rows, jobIds }) => [rows, jobIds])).toEqual(
    expect.arrayContaining([
      [1, [job.id]],
      [2, [replayId]],
    ]),
  );
  expect(found).toHaveLength(2);
  expect(await product.json("query", "select id from trades order by id")).toEqual([{ id: 1 }, { id: 20 }, { id: 30 }]);
});
