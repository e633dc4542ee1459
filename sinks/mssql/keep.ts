import type { Commit } from "../tables/commit.ts";
import { keptName } from "../tables/keep.ts";
import { literal, quotedTable } from "./quote.ts";
import type { Session } from "./session.ts";
import { integer } from "./staging.ts";

/**
 * Copies the rows that a commit is about to delete into a table of their own, `_casparian.replaced_by_…`, in the commit's transaction, and has the
 * markers of their results say that they are there, since now. Whoever drops that table needs to do nothing else.
 */
export async function keepReplaced(
  session: Session,
  { table, name, mode }: Commit,
  { jobId, gone }: { readonly jobId: string; readonly gone: readonly string[] },
): Promise<void> {
  if (mode !== "overwrite" && gone.length === 0) return;
  // What an earlier attempt of the same job has made visible was never on record.
  const replaced = `[schema_name] = ${literal(table.schema)} and [table_name] = ${literal(table.name)} and [job_id] <> ${integer(jobId)}${
    mode === "overwrite" ? "" : ` and [result] in (${gone.map(literal).join(", ")})`
  }`;
  // Before the markers change, because those who read lock the table first, too.
  await session.query(`select top (1) [_cf_job_id] from ${quotedTable(table)} with (tablockx, holdlock);`);
  const [any] = await session.query(`select [job_id] from [_casparian].[result] where ${replaced};`);
  if (any === undefined) return;
  const kept = { schema: "_casparian", name: keptName(name) };
  await session.query(
    `select * into ${quotedTable(kept)} from ${quotedTable(table)} where [_cf_job_id] in (select [job_id] from [_casparian].[result] where ${replaced});`,
  );
  await session.query(
    `update [_casparian].[result] set [schema_name] = ${literal(kept.schema)}, [table_name] = ${literal(kept.name)}, ` +
      `[committed_at] = sysdatetimeoffset() where ${replaced};`,
  );
}
