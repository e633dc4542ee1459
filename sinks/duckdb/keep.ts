import { quotedTable } from "../postgres/quote.ts";
import type { Commit } from "../tables/commit.ts";
import { keptName } from "../tables/keep.ts";
import type { Engine } from "./engine.ts";
import { keyOf } from "./own-schema.ts";
import { literal } from "./table.ts";

/**
 * Copies the rows that a commit is about to delete into a table of their own, `_casparian.replaced_by_…`, in the commit's transaction, and has the
 * markers of their results say that they are there, since now. Whoever drops that table needs to do nothing else.
 */
export async function keepReplaced(
  engine: Engine,
  { table, name, mode }: Commit,
  { jobId, replaced }: { readonly jobId: bigint; readonly replaced: readonly bigint[] },
): Promise<void> {
  const key = keyOf(table);
  // What an earlier attempt of the same job has made visible was never on record.
  const rows = await engine.rows<[bigint]>(
    `select distinct job_id from _casparian.result
     where table_key = $1 and job_id <> $2 and ($3 or list_contains([${replaced.join(", ")}]::bigint[], job_id))`,
    [key, jobId, mode === "overwrite"],
  );
  if (rows.length === 0) return;
  const jobs = rows.map(([job]) => job).join(", ");
  const kept = { schema: "_casparian", name: keptName(name) };
  await engine.connection.run(
    `create table ${quotedTable(kept)} as select * from ${quotedTable(table)} where list_contains([${jobs}]::bigint[], _cf_job_id)`,
  );
  const about = `Of Casparian Flow: rows of ${table.schema}.${table.name} that job ${jobId} has replaced; drop it to be rid of them`;
  await engine.connection.run(`comment on table ${quotedTable(kept)} is ${literal(about)}`);
  // Those of the target go with the rows: DuckDB doesn't take a key twice in a transaction, though it was changed meanwhile.
  await engine.change(
    `insert into _casparian.result select $2, result, staging, output, job_id, row_count, now() from _casparian.result
     where table_key = $1 and list_contains([${jobs}]::bigint[], job_id)`,
    [key, keyOf(kept)],
  );
}
