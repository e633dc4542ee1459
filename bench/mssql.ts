import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { startSqlServer } from "../test/support/sql-server.ts";
import type { Figure } from "./figure.ts";
import { makeTrades } from "./parquet.ts";
import { benchPython } from "./python.ts";

const rounds = 3;
const largeTimes = 5;
const password = "of the bench";

/**
 * The batches of 2 million rows (139 MB of Arrow) through the SQL Server sink, opened to staged, into a stub in this process that decodes
 * and counts the rows and keeps none: what the sink and its driver cost, not how fast a server is. The best of three rounds.
 */
export async function benchMssql(): Promise<readonly Figure[]> {
  const home = await mkdtemp(join(tmpdir(), "casparian-bench-"));
  const server = await startSqlServer({ databaseUrl: null, password, discardsRows: true });
  try {
    const stream = join(home, "trades.arrows");
    await makeTrades(await benchPython(), stream);
    const url = `mssql://sink:${encodeURIComponent(password)}@127.0.0.1:${server.port}/books?encrypt=false`;
    const load = async (times: number): Promise<{ readonly seconds: number; readonly peakBytes: number }> => {
      const program = fileURLToPath(new URL("load-mssql.ts", import.meta.url));
      const { stdout } = await execa(process.execPath, [program, stream, String(times)], { env: { CASPARIAN_CONNECTION_MSSQL: url } });
      return JSON.parse(stdout) as { seconds: number; peakBytes: number };
    };
    const runs = [];
    for (let round = 1; round <= rounds; round += 1) runs.push(await load(1));
    const large = await load(largeTimes);
    const best = Math.min(...runs.map(({ seconds }) => seconds));
    const peak = Math.min(...runs.map(({ peakBytes }) => peakBytes));
    const stub = "against a stub that keeps nothing";
    return [
      { name: `2 million rows of Arrow to SQL Server, bulk load, ${stub}`, value: 2_000_000 / best, unit: "rows/s" },
      { name: `peak memory of that, ${stub}`, value: peak / 2 ** 20, unit: "MiB" },
      { name: `peak memory of ${largeTimes} times as much (0.7 GB), ${stub}`, value: large.peakBytes / 2 ** 20, unit: "MiB" },
    ];
  } finally {
    await server.close();
    await rm(home, { recursive: true });
  }
}
