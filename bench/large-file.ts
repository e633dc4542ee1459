import { mkdir, open, stat, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Figure } from "./figure.ts";
import { arrowHandler } from "./samples.ts";
import { seconds } from "./seconds.ts";
import { startBenchSystem } from "./system.ts";
import { waitForJobs } from "./wait.ts";

export const rows = 2_000_000;
const rounds = 3;

/**
 * A CSV of 2 million rows to Parquet, warm, from the job's start to its commit as the record has them; beside it scripts that do the
 * same with pyarrow and with pandas, imports included. The best of three rounds, taken in turn.
 */
export async function benchLargeFile(): Promise<readonly Figure[]> {
  await using system = await startBenchSystem();
  const inbox = join(system.home, "inbox");
  await mkdir(inbox);
  const plugin = join(system.home, "large.py");
  await writeFile(plugin, arrowHandler);
  await system.casparian("plugin", "publish", plugin);
  await system.casparian("source", "add", "inbox", inbox, "--settle", "0");
  await system.casparian("rule", "add", "*.csv", "large");
  await writeFile(join(inbox, "warm.csv"), "a,b\n1,2\n");
  await system.casparian("scan", "inbox", "--wait");
  const before = system.peakMemory();
  const python = await system.python();

  const times = { ours: [] as number[], pyarrow: [] as number[], pandas: [] as number[] };
  for (let round = 1; round <= rounds; round += 1) {
    const path = join(inbox, `large-${round}.csv`);
    await writeLargeCsv(path, round);
    await system.casparian("scan", "inbox", "--wait");
    await waitForJobs(system.db, round + 1);
    times.ours.push(await lastJobSeconds(system.db));
    times.pyarrow.push(await seconds(() => execa(python, ["-c", pyarrowScript, path, join(system.home, "beside.parquet")])));
    times.pandas.push(await seconds(() => execa(python, ["-c", pandasScript, path, join(system.home, "beside.parquet")])));
  }
  const megabytes = (await stat(join(inbox, "large-1.csv"))).size / 1e6;
  const [ours, pyarrow, pandas] = [times.ours, times.pyarrow, times.pandas].map((each) => Math.min(...each)) as [number, number, number];
  return [
    {
      name: `${rows / 1e6} million rows (${megabytes.toFixed(0)} MB) to Parquet`,
      value: ours / pyarrow,
      unit: "of pyarrow's time",
      target: 1.5,
      targetIs: "at most",
    },
    {
      name: "the same",
      value: ours / pandas,
      unit: "of pandas' time",
      target: 1,
      targetIs: "at most",
      ratio: pandas / ours,
      beside: "pandas",
    },
    {
      name: "peak resident memory of our Node process",
      value: system.peakMemory() / 2 ** 20,
      unit: "MiB",
      target: 400,
      targetIs: "at most",
    },
    { name: "of that, before the large file", value: before / 2 ** 20, unit: "MiB" },
  ];
}

/** Trades as a vendor sends them; the rows that are measured in all benches of large files. */
export async function writeLargeCsv(path: string, seed: number): Promise<void> {
  const file = createWriteStream(path);
  file.write("id,account,symbol,price,quantity,side,traded_at,venue\n");
  for (let row = 0; row < rows; row += 1000) {
    let block = "";
    for (let n = row; n < row + 1000; n += 1) {
      block += `${n},ACC${(n * 31 + seed) % 50_000},SYM${n % 5000},${((n * 17) % 100_000) / 100},${(n * 7) % 1000},${n % 2 ? "BUY" : "SELL"},2026-01-${10 + (n % 20)} 10:00:${10 + (n % 50)},XNYS-${n % 40}-${(n * 13) % 100_000}\n`;
    }
    if (!file.write(block)) await once(file, "drain");
  }
  file.end();
  await finished(file);
  // At rest, as a received file is: what the system still has to write would make our own sync wait, and the scripts don't sync.
  const written = await open(path);
  await written.sync();
  await written.close();
}

async function lastJobSeconds(db: Parameters<typeof waitForJobs>[0]): Promise<number> {
  const { rows: jobs } = await db.query<{ seconds: number }>(
    `select extract(epoch from j.finished_at - a.started_at)::float8 as seconds
     from cf_processing_job j join cf_job_attempt a on a.job_id = j.id and a.attempt = j.attempt order by j.id desc limit 1`,
  );
  return jobs[0]!.seconds;
}

const pyarrowScript = `
import sys
from pyarrow import csv
import pyarrow.parquet as pq
pq.write_table(csv.read_csv(sys.argv[1]), sys.argv[2])
`;

const pandasScript = `
import sys
import pandas as pd
pd.read_csv(sys.argv[1]).to_parquet(sys.argv[2])
`;
