import type { TargetColumn } from "./columns.ts";
import type { Engine } from "./engine.ts";
import { literal } from "./table.ts";

/** A result that waits for its commit, within reach of a statement. */
export interface StagedRows {
  /** The name of its database. */
  readonly from: string;
  readonly columns: readonly TargetColumn[];
  readonly output: string;
  readonly jobId: bigint;
  readonly rowCount: number;
}

/** Until the database is closed. */
export async function attachStaged(engine: Engine, path: string): Promise<StagedRows> {
  const from = "casparian_staged";
  await engine.connection.run(`attach ${literal(path)} as ${from} (read_only)`);
  const [row] = await engine.rows<[string, string, bigint, bigint]>(`select columns, output, job_id, row_count from ${from}.about`);
  const [columns, output, jobId, rowCount] = row!;
  return { from, columns: JSON.parse(columns) as readonly TargetColumn[], output, jobId, rowCount: Number(rowCount) };
}
