import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figure } from "./figure.ts";
import { sampleCsv, sampleHandler } from "./samples.ts";
import { startBenchSystem } from "./system.ts";
import { waitForJobs } from "./wait.ts";

const files = 60;

/** One small file after the other into a watched folder, with no settle time: from the file's arrival to its commit in the record. */
export async function benchLatency(): Promise<readonly Figure[]> {
  await using system = await startBenchSystem();
  const inbox = join(system.home, "inbox");
  await mkdir(inbox);
  const plugin = join(system.home, "sample.py");
  await writeFile(plugin, sampleHandler);
  await system.casparian("plugin", "publish", plugin);
  await system.casparian("source", "add", "inbox", inbox, "--settle", "0");
  await system.casparian("rule", "add", "*.csv", "sample");
  await writeFile(join(inbox, "warm.csv"), sampleCsv(100, 0));
  await waitForJobs(system.db, 1);

  const milliseconds: number[] = [];
  for (let n = 1; n <= files; n += 1) {
    // Written beside and moved in, so that the arrival is one moment.
    await writeFile(join(system.home, "next.csv"), sampleCsv(100, n));
    const arrived = Date.now();
    await rename(join(system.home, "next.csv"), join(inbox, `part-${n}.csv`));
    await waitForJobs(system.db, n + 1);
    const { rows } = await system.db.query<{ at: Date }>("select max(finished_at) as at from cf_processing_job");
    milliseconds.push(rows[0]!.at.getTime() - arrived);
  }
  const sorted = milliseconds.toSorted((a, b) => a - b);
  return [
    {
      name: "a small file from arrival to commit, p50",
      value: sorted[Math.floor(files / 2)]!,
      unit: "ms",
      target: 150,
      targetIs: "at most",
    },
    { name: "the same, p95", value: sorted[Math.floor(files * 0.95)]!, unit: "ms" },
  ];
}
