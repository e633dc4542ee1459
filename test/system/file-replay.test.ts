import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { FileReplayStanding } from "../../control/file-replay/show.ts";
import { listJobs, testProduct } from "../support/product.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();
const files = 12;

/** Takes its time, so that a replay can be met under way. */
const plugin = (version: number, seconds: number): string => `import time
import pandas as pd

MANIFEST = {"pattern": "*.csv", "topic": "trades", "version": "${version}"}

class Handler:
    def execute(self, file_path):
        time.sleep(${seconds})
        yield pd.read_csv(file_path).assign(version=${version})
`;

const show = (id: string) => product.json<FileReplayStanding>("replay", "show", id);

async function until(id: string, isSo: (replay: FileReplayStanding) => boolean): Promise<FileReplayStanding> {
  return vi.waitFor(
    async () => {
      const replay = await show(id);
      if (!isSo(replay)) throw new Error(`not so yet: ${JSON.stringify(replay)}`);
      return replay;
    },
    { ...patience, interval: 200 },
  );
}

test("a staged version replays files through a stop and a kill of everything; each file has its rows once, and the active version stays", async () => {
  await product.json("plugin", "publish", await product.write("trades.py", plugin(1, 0)), "--name", "trades");
  await product.json("topic", "set", "trades", "trades", "parquet://output/trades", "--mode", "replace");
  for (let file = 0; file < files; file += 1) await writeFile(join(product.inbox, `${file}.csv`), `id\n${file}\n`);
  await product.json("plugin", "publish", await product.write("trades.py", plugin(2, 0.4)), "--name", "trades", "--stage");
  const first = await product.start();
  await vi.waitFor(
    async () => {
      const states = (await listJobs(product)).map(({ state }) => state);
      expect(states).toEqual(Array.from({ length: files }, () => "COMPLETED"));
    },
    { ...patience, interval: 200 },
  );
  const { replay } = await product.json<{ replay: FileReplayStanding }>("replay", "trades@2", "--at-once", "3");
  const { id } = replay;
  await until(id, ({ ended }) => ended >= 2);
  await product.json("replay", "stop", id);
  const stopped = await until(id, ({ open }) => open === 0);
  expect(stopped.state).toBe("STOPPED");
  expect(stopped.ended).toBeLessThan(files);
  await product.json("replay", "resume", id);
  await until(id, ({ ended }) => ended > stopped.ended);
  await first.killEverything();

  await product.start();
  const { jobs, expected, handedOut } = await until(id, ({ state }) => state === "COMPLETED");
  expect({ jobs, expected, handedOut }).toEqual({ jobs: { COMPLETED: files }, expected: files, handedOut: files });
  const rows = await product.json("query", "select id, version, _cf_plugin_version as plugin from trades order by id");
  expect(rows).toEqual(Array.from({ length: files }, (_, n) => ({ id: n, version: 2, plugin: expect.stringContaining("2") as string })));
  const plugins = await product.json<readonly { version: string; state: string }[]>("plugin", "list");
  expect(plugins.map(({ version, state }) => `${version} ${state}`)).toEqual(["2 STAGED", "1 ACTIVE"]);
  // There is nothing left to do for it.
  const again = await product.json<{ survey: { had: number; jobs: number }; replay: unknown }>("replay", "trades@2");
  expect([again.survey.had, again.survey.jobs, again.replay]).toEqual([files, 0, null]);
});
