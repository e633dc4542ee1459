import type { PoolClient } from "pg";
import { resultOf } from "../result-name.ts";
import type { OpenRequest } from "../sink.ts";
import type { TableName } from "../tables/table-name.ts";
import type { TargetColumn } from "./columns.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";

/** A result that waits for its commit, as its database has it. */
export interface StagedRow {
  readonly name: string;
  readonly result: string;
  readonly output: string;
  readonly jobId: string;
  readonly columns: readonly TargetColumn[];
  readonly rowCount: number;
}

export function stagingTable(name: string): string {
  return quotedTable({ schema: "_casparian", name });
}

/** Makes the table for a result's rows; nobody sees it before the transaction ends. */
export async function createStagingTable(client: PoolClient, name: string, columns: readonly TargetColumn[]): Promise<void> {
  await client.query(
    `create table ${stagingTable(name)} (${columns.map((column) => `${quoted(column.name)} ${column.type}`).join(", ")})
     with (autovacuum_enabled = off)`,
  );
}

export async function registerStaging(client: PoolClient, { request, table, name, columns, rowCount }: RegisteredStaging): Promise<void> {
  const { jobId, attempt, output, lineage } = request;
  await client.query(
    `insert into _casparian.staging (name, schema_name, table_name, result, output, job_id, attempt, source_hash, file_version_id, processed_at,
       plugin_version, columns, row_count) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      name,
      table.schema,
      table.name,
      resultOf(request),
      output,
      jobId,
      attempt,
      lineage.sourceHash,
      lineage.fileVersionId,
      lineage.processedAt,
      lineage.pluginVersion,
      JSON.stringify(columns),
      rowCount,
    ],
  );
}

interface RegisteredStaging {
  readonly request: OpenRequest;
  readonly table: TableName;
  readonly name: string;
  readonly columns: readonly TargetColumn[];
  readonly rowCount: number;
}

/** What is staged under a name, which nobody else commits or discards until the transaction's end; null where nothing is. */
export async function lockStaged(client: PoolClient, name: string): Promise<StagedRow | null> {
  const { rows } = await client.query<StagedRow>(
    `select name, result, output, job_id as "jobId", columns, row_count::float8 as "rowCount" from _casparian.staging where name = $1 for update`,
    [name],
  );
  return rows[0] ?? null;
}

export async function removeStaged(client: PoolClient, name: string): Promise<void> {
  await forgetStaged(client, name);
  await client.query(`drop table if exists ${stagingTable(name)}`);
}

/** The table stays. */
export async function forgetStaged(client: PoolClient, name: string): Promise<void> {
  await client.query("delete from _casparian.staging where name = $1", [name]);
}

/** Does nothing where it was committed or removed. */
export async function discardStaged(server: Server, name: string): Promise<void> {
  await server.transaction(`the staged result ${name} can't be removed`, async (client) => {
    if ((await hasOwnSchema(client)) && (await lockStaged(client, name)) !== null) await removeStaged(client, name);
  });
}

/** What is staged for a table, by whichever attempt. */
export async function listStaged(
  server: Server,
  table: TableName,
): Promise<readonly { readonly name: string; readonly jobId: string; readonly attempt: number }[]> {
  return server.use(`what is staged for ${table.schema}.${table.name} can't be read`, async (client) => {
    if (!(await hasOwnSchema(client))) return [];
    const { rows } = await client.query<{ name: string; jobId: string; attempt: number }>(
      `select name, job_id as "jobId", attempt from _casparian.staging where schema_name = $1 and table_name = $2`,
      [table.schema, table.name],
    );
    return rows;
  });
}
