import type { PoolClient } from "pg";
import type { Commit } from "../tables/commit.ts";
import { keptName } from "../tables/keep.ts";
import { literal, quotedTable } from "./quote.ts";

/**
 * Copies the rows that a commit is about to delete into a table of their own, `_casparian.replaced_by_…`, in the commit's transaction, and has the
 * markers of their results say that they are there, since now. Whoever drops that table needs to do nothing else.
 *
 * One table for a commit, and not for a result: each table takes a lock of the server, which has some thousand, and a result may replace more.
 */
export async function keepReplaced(
  client: PoolClient,
  { table, name, mode }: Commit,
  { jobId, gone }: { readonly jobId: string; readonly gone: readonly string[] },
): Promise<void> {
  // What an earlier attempt of the same job has made visible was never on record.
  const { rows } = await client.query<{ jobId: string }>(
    `select distinct job_id as "jobId" from _casparian.result
     where schema_name = $1 and table_name = $2 and job_id <> $3 and ($4 or result = any($5))`,
    [table.schema, table.name, jobId, mode === "overwrite", gone],
  );
  if (rows.length === 0) return;
  const jobs = rows.map((row) => row.jobId);
  const kept = { schema: "_casparian", name: keptName(name) };
  await client.query(
    `create table ${quotedTable(kept)} as select * from ${quotedTable(table)} where _cf_job_id = any('{${jobs.join(",")}}'::bigint[])`,
  );
  const about = `Of Casparian Flow: rows of ${table.schema}.${table.name} that job ${jobId} has replaced; drop it to be rid of them`;
  await client.query(`comment on table ${quotedTable(kept)} is ${literal(about)}`);
  await client.query(
    `update _casparian.result set schema_name = $3, table_name = $4, committed_at = now()
     where schema_name = $1 and table_name = $2 and job_id = any($5::bigint[])`,
    [table.schema, table.name, kept.schema, kept.name, jobs],
  );
}
