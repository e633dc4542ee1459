import type { PoolClient } from "pg";
import type { Commit } from "../tables/commit.ts";
import type { StagedRow } from "./staging.ts";

/** What says that a table shows a result. */
export interface Marker {
  /** The name under which its rows were staged. */
  readonly staging: string;
  readonly jobId: string;
}

export async function findMarker(client: PoolClient, { table, result }: Pick<Commit, "table" | "result">): Promise<Marker | undefined> {
  const { rows } = await client.query<Marker>(
    `select staging, job_id as "jobId" from _casparian.result where schema_name = $1 and table_name = $2 and result = $3`,
    [table.schema, table.name, result],
  );
  return rows[0];
}

export async function insertMarker(client: PoolClient, commit: Commit, { output, jobId, rowCount }: StagedRow): Promise<void> {
  const { table, name, result } = commit;
  await client.query(
    `insert into _casparian.result (schema_name, table_name, result, staging, output, job_id, row_count) values ($1, $2, $3, $4, $5, $6, $7)`,
    [table.schema, table.name, result, name, output, jobId, rowCount],
  );
}
