import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPluginPool } from "../bridge/pool.ts";
import { type TransportName, transportNames } from "../domain/transport.ts";
import type { Figure } from "./figure.ts";
import { benchLog } from "./log.ts";
import { benchPython } from "./python.ts";

const rounds = 5;
const batches = 1000;
const rowsPerBatch = 65_536;

/**
 * Arrow batches of 8 columns of numbers, 4 MiB each, from a sandboxed plugin to a handler that counts rows: over each transport in turn, from
 * the job's start to its end. The best of five rounds.
 */
export async function benchTransport(): Promise<readonly Figure[]> {
  const python = await benchPython();
  const folder = await mkdtemp(join(tmpdir(), "cf-bench-"));
  const best = new Map<TransportName, number>();
  const pools = transportNames.map((transport) => ({ transport, pool: createPluginPool({ log: benchLog, maxParents: 1, transport }) }));
  const inputPath = join(folder, "input.txt");
  await writeFile(inputPath, "");
  try {
    for (let round = 0; round <= rounds; round += 1) {
      for (const { transport, pool } of pools) {
        let [rows, bytes] = [0, 0];
        const report = await pool.run(request(python, inputPath, join(folder, "scratch")), {
          open: async () => {},
          message: async (_output, message) => {
            rows += message.rows;
            bytes += message.bytes.byteLength;
          },
        });
        if (rows !== batches * rowsPerBatch) throw new Error(`${rows} rows came`);
        // The first one is for warming up.
        if (round > 0) best.set(transport, Math.max(best.get(transport) ?? 0, bytes / 1e9 / report.seconds));
      }
    }
  } finally {
    await Promise.all(pools.map(({ pool }) => pool.close()));
    await rm(folder, { recursive: true, force: true });
  }
  const unix = best.get("unix") ?? 0;
  return transportNames.map((transport) => ({
    name: `Arrow batches from Python over ${transport}, rows counted`,
    value: best.get(transport) ?? 0,
    unit: "GB/s",
    target: 2,
    ...(transport === "unix" ? {} : { ratio: (best.get(transport) ?? 0) / unix, beside: "unix" }),
  }));
}

function request(python: string, inputPath: string, scratchDir: string) {
  return {
    jobId: "1",
    attempt: 1,
    plugin: { name: "batches", version: "1", artifactHash: "batches", sourceCode: handler, defaultOutput: "output" },
    python,
    inputPath,
    scratchDir,
    limits: { seconds: 600, memoryBytes: 2 ** 30, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
    signal: new AbortController().signal,
  };
}

const handler = `
import numpy as np
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        table = pa.table({f"n{n}": np.arange(${rowsPerBatch}) * (n + 0.5) for n in range(8)})
        for _ in range(${batches}):
            yield table
`;
