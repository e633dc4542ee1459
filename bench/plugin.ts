import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createPluginPool, type PluginPool } from "../bridge/pool.ts";
import type { Figure } from "./figure.ts";
import { benchLog } from "./log.ts";
import { benchPython } from "./python.ts";

const run = promisify(execFile);
const warmRuns = 200;
const coldRounds = 9;
const files = 1_000;
/** By then every page that is ever touched has been touched. */
const settledFiles = 100;

/**
 * What the bridge costs beside a plugin's own time: a small CSV through pandas in a warm fork; the first file of all, beside the same file as
 * a script; and what 1,000 files leave behind. Environments are built before.
 */
export async function benchPlugin(): Promise<readonly Figure[]> {
  const python = await benchPython();
  const folder = await mkdtemp(join(tmpdir(), "cf-bench-"));
  const script = join(folder, "trades.py");
  const inputPath = join(folder, "trades.csv");
  await writeFile(script, source);
  await writeFile(inputPath, `id,account,price\n${Array.from({ length: 20 }, (_, n) => `${n},a${n},${n / 4}`).join("\n")}\n`);
  const place = { python, inputPath, scratchDir: join(folder, "scratch", "job") };
  try {
    return [await overheadWarm(place), await firstFile(place, script), ...(await thousandFiles(place))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Place {
  readonly python: string;
  readonly inputPath: string;
  readonly scratchDir: string;
}

async function overheadWarm(place: Place): Promise<Figure> {
  const pool = createPluginPool({ log: benchLog });
  const ms: number[] = [];
  try {
    for (let n = -10; n < warmRuns; n += 1) {
      const { seconds, plugin } = await runOnce(pool, place);
      if (n >= 0) ms.push((seconds - plugin) * 1000);
    }
  } finally {
    await pool.close();
  }
  return {
    name: `small CSV in a warm fork, beyond the plugin's own time, p50 of ${warmRuns}`,
    value: median(ms),
    unit: "ms",
    target: 30,
    targetIs: "at most",
  };
}

async function firstFile(place: Place, script: string): Promise<Figure> {
  const ours: number[] = [];
  const scripts: number[] = [];
  for (let round = -1; round < coldRounds; round += 1) {
    const pool = createPluginPool({ log: benchLog });
    const began = performance.now();
    await runOnce(pool, place);
    const first = performance.now() - began;
    await pool.close();
    const scriptBegan = performance.now();
    await run(place.python, [script, place.inputPath]);
    // The first ones fill the file system's cache.
    if (round < 0) continue;
    ours.push(first);
    scripts.push(performance.now() - scriptBegan);
  }
  return {
    name: `first file of a plugin with pandas, nothing warm, in times of \`python plugin.py\` (${median(scripts).toFixed(0)} ms)`,
    value: median(ours) / median(scripts),
    unit: "",
    target: 1.2,
    targetIs: "at most",
  };
}

async function thousandFiles(place: Place): Promise<readonly Figure[]> {
  const pool = createPluginPool({ log: benchLog });
  const scratch = join(place.scratchDir, "..");
  let settled: Left | undefined;
  try {
    for (let n = 1; n <= files; n += 1) {
      await runOnce(pool, place);
      if (n === settledFiles) settled = await leftNow(scratch);
    }
    const last = await leftNow(scratch);
    const more = (key: keyof Left): number => last[key] - (settled?.[key] ?? 0);
    const from = `from file ${settledFiles} to file ${files}`;
    return [
      {
        name: `memory of the warm process that is not its files', ${from}`,
        value: more("parentMb"),
        unit: "MB more",
        target: 1,
        targetIs: "at most",
      },
      {
        name: `processes, descriptors and folders, ${from}`,
        value: more("processes") + more("descriptors") + more("folders"),
        unit: "more",
        target: 0,
        targetIs: "at most",
      },
    ];
  } finally {
    await pool.close();
  }
}

interface Left {
  readonly parentMb: number;
  readonly processes: number;
  readonly descriptors: number;
  readonly folders: number;
}

/** While nothing runs: of this process and all below it. */
async function leftNow(scratch: string): Promise<Left> {
  const below = await descendantsOf(process.pid);
  const descriptors = await Promise.all([process.pid, ...below].map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length));
  const memory = await Promise.all(below.map(anonymousMb));
  return {
    parentMb: sum(memory),
    processes: below.length,
    descriptors: sum(descriptors),
    folders: (await readdir(scratch, { recursive: true })).length,
  };
}

async function descendantsOf(pid: number): Promise<readonly number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean).map(Number);
  const deeper = await Promise.all(children.map(descendantsOf));
  return [...children, ...deeper.flat()];
}

async function anonymousMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

async function runOnce(
  pool: PluginPool,
  { python, inputPath, scratchDir }: Place,
): Promise<{ readonly seconds: number; readonly plugin: number }> {
  const began = performance.now();
  const { outputs, spent } = await pool.run(
    {
      jobId: "1",
      attempt: 1,
      plugin: { name: "trades", version: "1", artifactHash: "trades", sourceCode: source, defaultOutput: "trades" },
      python,
      inputPath,
      scratchDir,
      limits: { seconds: 60, memoryBytes: 2 ** 30, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
      signal: new AbortController().signal,
    },
    { open: async () => {}, message: async () => {} },
  );
  if (outputs[0]?.rowsSent !== 20 || spent === undefined) throw new Error("the plugin did not send its 20 rows");
  return { seconds: (performance.now() - began) / 1000, plugin: spent.plugin };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const source = `
import sys
import pandas as pd
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        yield pa.Table.from_pandas(pd.read_csv(file_path))

if __name__ == "__main__":
    print(sum(table.num_rows for table in Handler().execute(sys.argv[1])))
`;
