import type { PoolClient } from "pg";
import { lineageColumns } from "../../domain/lineage.ts";
import { checkInserted, inseparable, lost, type Commit } from "../tables/commit.ts";
import { stagedLineage } from "../tables/staged.ts";
import { keepReplaced } from "./keep.ts";
import { findMarker, insertMarker, type Marker } from "./marker.ts";
import { moveStaged } from "./move.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import { lockStaged, removeStaged, stagingTable, type StagedRow } from "./staging.ts";
import { ensureTable, lockTable, planTable } from "./table.ts";

/**
 * Makes a staged result visible in one transaction: what it replaces is deleted or kept elsewhere (`keep.ts`), its rows are inserted, the commit marker is set, the staged
 * table goes; or, where there is no table yet, the staged one becomes it (`move.ts`). A call that finds the marker of this very staging has
 * nothing to do; of two at once the second waits and finds it.
 *
 * Throws TerminalFailure STAGED_LOST where neither staged rows nor marker are there.
 */
export async function commitStaged(server: Server, commit: Commit): Promise<void> {
  const { table, mode, name } = commit;
  const doing = `the result ${name} can't be committed to ${table.schema}.${table.name}`;
  const columns = await server.use(doing, async (client) => ((await hasOwnSchema(client)) ? await columnsOf(client, name) : null));
  if (columns !== null) {
    const change = await server.use(doing, (client) => planTable(client, table, columns, mode));
    if (change?.creates === true && (await moveStaged(server, commit, columns))) return;
    // Beside the commit's own transaction, so that a lock on the whole table is held for a moment only.
    if (change !== null) await ensureTable(server, table, columns, mode);
  }
  await server.transaction(doing, async (client) => {
    if (!(await hasOwnSchema(client))) throw lost(commit, server.place);
    await lockTable(client, table, mode === "overwrite" ? "alone" : "shared");
    await client.query("select pg_advisory_xact_lock(hashtextextended('casparian result ' || $1, 0))", [
      JSON.stringify([table, commit.result]),
    ]);
    const marker = await findMarker(client, commit);
    if (marker?.staging === name) return;
    const staged = await lockStaged(client, name);
    if (staged === null) throw lost(commit, server.place);
    await takeAway(client, commit, staged.jobId, marker);
    await insertRows(client, commit, staged);
    await insertMarker(client, commit, staged);
    await removeStaged(client, name);
  });
}

/** Whether the rows of this very staging are visible. */
export async function isCommittedThere(server: Server, commit: Pick<Commit, "table" | "name" | "result">): Promise<boolean> {
  const { schema, name } = commit.table;
  return server.use(`the results of ${schema}.${name} can't be read`, async (client) => {
    return (await hasOwnSchema(client)) && (await findMarker(client, commit))?.staging === commit.name;
  });
}

async function columnsOf(client: PoolClient, name: string): Promise<StagedRow["columns"] | null> {
  const { rows } = await client.query<Pick<StagedRow, "columns">>("select columns from _casparian.staging where name = $1", [name]);
  return rows[0]?.columns ?? null;
}

/** Deletes the rows and the markers of replaced results, once they are kept where that is asked for: with `overwrite` all but those of the job's other outputs. */
async function takeAway(client: PoolClient, commit: Commit, jobId: string, marker: Marker | undefined): Promise<void> {
  const { table, mode, result } = commit;
  const there = [table.schema, table.name];
  const gone = marker === undefined ? commit.replaced : [...commit.replaced, result];
  const jobs: string[] = [];
  if (gone.length > 0) {
    const { rows } = await client.query<{ jobId: string; isShared: boolean }>(
      `select g.job_id as "jobId", exists (select from _casparian.result o where (o.schema_name, o.table_name, o.job_id) = ($1, $2, g.job_id)
         and not o.result = any($3)) as "isShared"
       from _casparian.result g where g.schema_name = $1 and g.table_name = $2 and g.result = any($3)`,
      [...there, gone],
    );
    const shared = rows.find(({ isShared }) => isShared);
    if (shared !== undefined && mode !== "overwrite") throw inseparable(table, shared.jobId, "postgres");
    jobs.push(...new Set(rows.map((row) => row.jobId)));
  }
  if (commit.keeps) await keepReplaced(client, commit, { jobId, gone });
  if (gone.length > 0) {
    if (jobs.length > 0) await client.query(`delete from ${quotedTable(table)} where _cf_job_id = any($1::bigint[])`, [jobs]);
    await client.query("delete from _casparian.result where schema_name = $1 and table_name = $2 and result = any($3)", [...there, gone]);
  }
  if (mode !== "overwrite") return;
  await client.query(`delete from ${quotedTable(table)} where _cf_job_id <> $1`, [jobId]);
  await client.query("delete from _casparian.result where schema_name = $1 and table_name = $2 and job_id <> $3", [...there, jobId]);
}

async function insertRows(client: PoolClient, commit: Commit, { columns, rowCount }: StagedRow): Promise<void> {
  const { table, name } = commit;
  const target = [...columns.map((column) => quoted(column.name)), ...lineageColumns];
  // A column that was nothing but null fits any type.
  const source = [
    ...columns.map((column) => (column.isNull ? "null" : `s.${quoted(column.name)}`)),
    ...stagedLineage.map((column) => `l.${column}`),
  ];
  const inserted = await client.query(
    `insert into ${quotedTable(table)} (${target.join(", ")}) select ${source.join(", ")} from ${stagingTable(name)} s,
       _casparian.staging l where l.name = $1`,
    [name],
  );
  checkInserted(commit, inserted.rowCount, rowCount);
}
