import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { seconds } from "./seconds.ts";
import { startBenchSystem } from "./system.ts";
import { sampleCsv, sampleHandler } from "./samples.ts";
import { waitForJobs } from "./wait.ts";
import type { Figure } from "./figure.ts";

const files = 200;
const rows = 100;

/**
 * 200 files of 100 rows that are on record already: from being queued to all being committed. Beside it, in the same run, the plugin's
 * own code started with a new Python for each file, two at a time, as a cron job would do it.
 */
export async function benchSmallFiles(): Promise<readonly Figure[]> {
  await using system = await startBenchSystem();
  const inbox = join(system.home, "inbox");
  await mkdir(inbox);
  const plugin = join(system.home, "sample.py");
  await writeFile(plugin, sampleHandler);
  await system.casparian("plugin", "publish", plugin);
  await writeFile(join(inbox, "warm.txt"), sampleCsv(rows, 0));
  await system.casparian("source", "add", "inbox", inbox, "--settle", "0");
  await system.casparian("rule", "add", "warm.txt", "sample");
  await system.casparian("scan", "inbox", "--wait");
  for (let n = 1; n <= files; n += 1) await writeFile(join(inbox, `part-${n}.csv`), sampleCsv(rows, n));
  await system.casparian("scan", "inbox", "--wait");

  const began = performance.now();
  await system.casparian("rule", "add", "part-*.csv", "sample", "--backfill");
  await waitForJobs(system.db, files + 1);
  const ours = (performance.now() - began) / 1000;

  const python = await system.python();
  const cron = await seconds(() =>
    execa("xargs", ["-P", "2", "-n", "1", python, "-c", coldScript, join(system.home, "cold")], {
      input: Array.from({ length: files }, (_, n) => join(inbox, `part-${n + 1}.csv`)).join("\n"),
    }),
  );
  return [
    {
      name: `${files} small files, queued to committed`,
      value: files / ours,
      unit: "files/s",
      target: 25,
      ratio: cron / ours,
      beside: "a new Python for each file, two at a time",
    },
  ];
}

/** The plugin's work without the product: read, convert, write. */
const coldScript = `
import os, sys
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq
os.makedirs(sys.argv[1], exist_ok=True)
pq.write_table(pa.Table.from_pandas(pd.read_csv(sys.argv[2])), os.path.join(sys.argv[1], os.path.basename(sys.argv[2]) + ".parquet"))
`;
