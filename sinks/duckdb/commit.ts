import { dirname, join } from "node:path";
import { listValue } from "@duckdb/node-api";
import { lineageColumns } from "../../domain/lineage.ts";
import { stagedLineage, type StagedTable } from "../tables/staged.ts";
import { checkInserted, inseparable, lost, type Commit } from "../tables/commit.ts";
import { stagingFolder } from "../files/target.ts";
import { quoted, quotedTable } from "../postgres/quote.ts";
import { ensureDatabase, isThere, withDatabase, type Database } from "./database.ts";
import { scratchOf, type Engine } from "./engine.ts";
import { keepReplaced } from "./keep.ts";
import { ensureOwnSchema, findMarker, hasOwnSchema, keyOf, type Marker } from "./own-schema.ts";
import { attachStaged, type StagedRows } from "./staged-rows.ts";
import { changeTable, planTable } from "./table.ts";

/**
 * Makes a staged result visible in one transaction: the table is made or gets new columns, what the result replaces is deleted or kept elsewhere (`keep.ts`), its rows are
 * inserted, the commit marker is set. The file is open, and closed to all others, only for that. A call that finds the marker of this very
 * staging has nothing to do; of two at once the second waits and finds it.
 *
 * DuckDB's log makes it atomic: whoever opens the file after a crash finds all of it or nothing. The checkpoint afterwards takes the log into
 * the file, so that one file is all there is.
 *
 * Throws TerminalFailure STAGED_LOST where neither staged rows nor marker are there.
 */
export async function commitStaged(database: Database, commit: Commit): Promise<void> {
  const { table } = commit;
  const path = stagedPath(database, commit);
  const doing = `the result ${commit.name} can't be committed to ${table.schema}.${table.name}`;
  const staged = { path };
  if (await isThere(staged)) await ensureDatabase(database, path);
  else if (!(await isThere(database))) throw lost(commit, database.path);
  await withDatabase(database, doing, { access: "write", scratch: scratchOf(path) }, async (engine) => {
    if (await isMarked(engine, commit)) return;
    if (!(await isThere(staged))) throw lost(commit, database.path);
    const rows = await attachStaged(engine, path);
    await engine.connection.run("begin");
    await ensureOwnSchema(engine);
    const change = await planTable(engine, table, rows.columns);
    // Results of a table that somebody has dropped are gone with it.
    if (change.creates) await engine.change("delete from _casparian.result where table_key = $1", [keyOf(table)]);
    await changeTable(engine, table, change);
    await takeAway(engine, commit, rows.jobId, await findMarker(engine, table, commit.result));
    await insertRows(engine, commit, rows);
    await engine.change("insert or replace into _casparian.result values ($1, $2, $3, $4, $5, $6, now())", [
      keyOf(table),
      commit.result,
      commit.name,
      rows.output,
      rows.jobId,
      BigInt(rows.rowCount),
    ]);
    await engine.connection.run("commit");
    // It is committed and durable, in the log: who opens the file next finishes what can't be done now.
    await engine.connection.run("checkpoint").catch(() => {});
  });
}

/** Whether the rows of this very staging are visible. */
export async function isCommittedThere(database: Database, commit: StagedTable): Promise<boolean> {
  if (!(await isThere(database))) return false;
  const doing = `the results of ${commit.table.schema}.${commit.table.name} can't be read`;
  return withDatabase(database, doing, { access: "read", scratch: scratchOf(stagedPath(database, commit)) }, (engine) =>
    isMarked(engine, commit),
  );
}

async function isMarked(engine: Engine, { table, result, name }: StagedTable): Promise<boolean> {
  return (await hasOwnSchema(engine)) && (await findMarker(engine, table, result))?.staging === name;
}

/** Deletes the rows and the markers of replaced results, once they are kept where that is asked for: with `overwrite` all but those of the job's other outputs. */
async function takeAway(engine: Engine, commit: Commit, jobId: bigint, marker: Marker | undefined): Promise<void> {
  const { table, mode, result } = commit;
  const key = keyOf(table);
  const gone = marker === undefined ? commit.replaced : [...commit.replaced, result];
  const jobs: bigint[] = [];
  if (gone.length > 0) {
    const results = listValue([...gone]);
    const rows = await engine.rows<[bigint, boolean]>(
      `select g.job_id, bool_or(exists (from _casparian.result o where o.table_key = $1 and o.job_id = g.job_id
         and not list_contains($2::varchar[], o.result)))
       from _casparian.result g where g.table_key = $1 and list_contains($2::varchar[], g.result) group by g.job_id`,
      [key, results],
    );
    const shared = rows.find(([, isShared]) => isShared);
    if (shared !== undefined && mode !== "overwrite") throw inseparable(table, String(shared[0]), "duckdb");
    jobs.push(...rows.map(([job]) => job));
  }
  if (commit.keeps) await keepReplaced(engine, commit, { jobId, replaced: jobs });
  if (gone.length > 0) {
    const results = listValue([...gone]);
    for (const job of jobs) await engine.change(`delete from ${quotedTable(table)} where _cf_job_id = $1`, [job]);
    // Its own marker is written over.
    await engine.change("delete from _casparian.result where table_key = $1 and list_contains($2::varchar[], result) and result <> $3", [
      key,
      results,
      result,
    ]);
  }
  if (mode !== "overwrite") return;
  await engine.change(`delete from ${quotedTable(table)} where _cf_job_id <> $1`, [jobId]);
  await engine.change("delete from _casparian.result where table_key = $1 and job_id <> $2", [key, jobId]);
}

/** Inserts the staged rows with their lineage, and counts what is there afterwards. */
async function insertRows(engine: Engine, commit: Commit, { from, columns, jobId, rowCount }: StagedRows): Promise<void> {
  const { table } = commit;
  const target = [...columns.map((column) => quoted(column.name)), ...lineageColumns];
  // A column that was nothing but null fits any type.
  const source = [
    ...columns.map(({ isNull }, index) => (isNull ? "null" : `r.c${index}`)),
    ...stagedLineage.map((column) => `a.${column}`),
  ];
  const count = async (): Promise<number> => {
    const [row] = await engine.rows<[bigint]>(`select count(*) from ${quotedTable(table)} where _cf_job_id = $1`, [jobId]);
    return Number(row![0]);
  };
  const before = await count();
  await engine.connection.run(
    `insert into ${quotedTable(table)} (${target.join(", ")}) select ${source.join(", ")} from ${from}.rows r cross join ${from}.about a`,
  );
  const inserted = (await count()) - before;
  checkInserted(commit, inserted, rowCount);
}

function stagedPath({ path }: Database, { name }: StagedTable): string {
  return join(dirname(path), stagingFolder, name);
}
