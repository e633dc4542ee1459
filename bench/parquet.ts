import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Figure } from "./figure.ts";
import { benchPython } from "./python.ts";

const rounds = 3;
/** Of 139 MB: together some 2 GB. */
const largeTimes = 15;

/**
 * The batches of 2 million rows (139 MB of Arrow) through the Parquet sink with its lineage columns, opened to committed and synced, beside
 * pyarrow's `write_table` of the same batches, in memory before. The best of three rounds, taken in turn. Then the same batches fifteen
 * times into one result, for the memory that it takes.
 */
export async function benchParquet(): Promise<readonly Figure[]> {
  const python = await benchPython();
  const home = await mkdtemp(join(tmpdir(), "casparian-bench-"));
  try {
    return await measure(home, python);
  } finally {
    await rm(home, { recursive: true });
  }
}

async function measure(home: string, python: string): Promise<readonly Figure[]> {
  const stream = join(home, "trades.arrows");
  await makeTrades(python, stream);

  const times = { ours: [] as number[], pyarrow: [] as number[] };
  for (let round = 1; round <= rounds; round += 1) {
    times.ours.push((await write(home, stream, 1)).seconds);
    const { stdout } = await execa(python, ["-c", pyarrowScript, stream, join(home, "beside.parquet")]);
    times.pyarrow.push(Number(stdout));
  }
  const [ours, pyarrow] = [Math.min(...times.ours), Math.min(...times.pyarrow)];
  const small = await write(home, stream, 1);
  const large = await write(home, stream, largeTimes);
  return [
    {
      name: "2 million rows of Arrow to Parquet, with lineage",
      value: pyarrow / ours,
      unit: "of pyarrow's speed",
      target: 0.7,
      targetIs: "at least",
    },
    { name: "peak memory of that", value: small.peakBytes / 2 ** 20, unit: "MiB" },
    { name: `peak memory of ${largeTimes} times as much (2 GB)`, value: large.peakBytes / 2 ** 20, unit: "MiB" },
  ];
}

async function write(home: string, stream: string, times: number): Promise<{ readonly seconds: number; readonly peakBytes: number }> {
  const program = fileURLToPath(new URL("write-parquet.ts", import.meta.url));
  const { stdout } = await execa(process.execPath, [program, join(home, "sink"), stream, String(times)]);
  return JSON.parse(stdout) as { seconds: number; peakBytes: number };
}

/** An Arrow stream of 2 million rows in 8 columns. */
export async function makeTrades(python: string, stream: string): Promise<void> {
  await execa(python, ["-c", makeScript, stream]);
}

const makeScript = `
import sys
import numpy as np, pyarrow as pa
rows = 2_000_000
n = np.arange(rows)
text = lambda prefix, values: pa.array(np.char.add(prefix, values.astype(str)))
table = pa.table({
    "id": n,
    "account": text("ACC", n * 31 % 50_000),
    "symbol": text("SYM", n % 5_000),
    "price": (n * 17 % 100_000) / 100,
    "quantity": n * 7 % 1000,
    "side": pa.array(["SELL", "BUY"]).take(pa.array(n % 2)),
    "traded_at": pa.array(1_767_000_000 + n % 1_000_000).cast(pa.timestamp("s")).cast(pa.timestamp("us")),
    "venue": text("XNYS-", n * 13 % 100_000),
})
with pa.OSFile(sys.argv[1], "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
    writer.write_table(table, max_chunksize=65_536)
`;

const pyarrowScript = `
import sys, time
import pyarrow as pa, pyarrow.parquet as pq
table = pa.ipc.open_stream(sys.argv[1]).read_all()
pq.write_table(table.slice(0, 1000), sys.argv[2])
begun = time.perf_counter()
pq.write_table(table, sys.argv[2])
print(time.perf_counter() - begun)
`;
