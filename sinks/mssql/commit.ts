import { lineageColumns } from "../../domain/lineage.ts";
import { checkInserted, inseparable, lost, type Commit } from "../tables/commit.ts";
import { stagedLineage } from "../tables/staged.ts";
import type { TableName } from "../tables/table-name.ts";
import { keepReplaced } from "./keep.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { findStaged, integer, removeStaged, stagingTable, type StagedRow } from "./staging.ts";
import { ensureTable, lockTable } from "./table.ts";

/**
 * Makes a staged result visible in one transaction: what it replaces is deleted or kept elsewhere (`keep.ts`), its rows are inserted, the commit marker is set, the staging
 * table goes. A call that finds the marker of this very staging has nothing to do; of two at once the second waits and finds it.
 *
 * Readers at SQL Server's default level may see rows come and go within one of their statements, so the table is locked as a whole
 * (`tablockx`): a commit waits for statements that read, and they for it.
 *
 * Throws TerminalFailure STAGED_LOST where neither staged rows nor marker are there, and SINK_TABLE_SHARED.
 */
export async function commitStaged(server: Server, commit: Commit): Promise<void> {
  const { table, mode, name } = commit;
  const doing = `the result ${name} can't be committed to ${table.schema}.${table.name}`;
  const waiting = await server.use(doing, async (session) => ((await hasOwnSchema(session)) ? findStaged(session, name) : null));
  // Beside the commit's own transaction, which is to hold its locks for a moment only.
  if (waiting !== null) await ensureTable(server, table, waiting.columns, mode);
  await server.transaction(doing, async (session) => {
    if (!(await hasOwnSchema(session))) throw lost(commit, server.place);
    await lockTable(session, table);
    const marker = await findMarker(session, commit);
    if (marker === name) return;
    const staged = await findStaged(session, name);
    if (staged === null || staged.rowCount === null) throw lost(commit, server.place);
    await takeAway(session, commit, staged.jobId, marker !== null);
    await insertRows(session, commit, staged);
    await insertMarker(session, commit);
    await removeStaged(session, name);
  });
}

/** Whether the rows of this very staging are visible. */
export async function isCommittedThere(server: Server, commit: Pick<Commit, "table" | "name" | "result">): Promise<boolean> {
  const { schema, name } = commit.table;
  return server.use(`the results of ${schema}.${name} can't be read`, async (session) => {
    return (await hasOwnSchema(session)) && (await findMarker(session, commit)) === commit.name;
  });
}

/** The staging that a result was committed from; null where it is not visible. */
async function findMarker(session: Session, { table, result }: Pick<Commit, "table" | "result">): Promise<string | null> {
  const [row] = await session.query(
    `select [staging] from [_casparian].[result] where ${ofTable(table)} and [result] = ${literal(result)};`,
  );
  return row === undefined ? null : String(row[0]);
}

/** Deletes the rows and the markers of replaced results, once they are kept where that is asked for: with `overwrite` all but those of the job's other outputs. */
async function takeAway(session: Session, commit: Commit, jobId: string, isThere: boolean): Promise<void> {
  const { table, mode } = commit;
  const gone = isThere ? [...commit.replaced, commit.result] : commit.replaced;
  let jobs = "";
  if (gone.length > 0) {
    const results = gone.map(literal).join(", ");
    const shown = await session.query(`select [job_id] from [_casparian].[result] where ${ofTable(table)} and [result] in (${results});`);
    jobs = [...new Set(shown.map(([job]) => integer(String(job))))].join(", ");
    if (jobs !== "") {
      const [shared] = await session.query(
        `select [job_id] from [_casparian].[result] where ${ofTable(table)} and [job_id] in (${jobs}) and [result] not in (${results});`,
      );
      if (shared !== undefined && mode !== "overwrite") throw inseparable(table, String(shared[0]), "mssql");
    }
  }
  if (commit.keeps) await keepReplaced(session, commit, { jobId, gone });
  if (jobs !== "") await deleteRows(session, table, `[_cf_job_id] in (${jobs})`);
  if (gone.length > 0) {
    const results = gone.map(literal).join(", ");
    await session.query(`delete from [_casparian].[result] where ${ofTable(table)} and [result] in (${results});`);
  }
  if (mode !== "overwrite") return;
  await deleteRows(session, table, `[_cf_job_id] <> ${integer(jobId)}`);
  await session.query(`delete from [_casparian].[result] where ${ofTable(table)} and [job_id] <> ${integer(jobId)};`);
}

async function deleteRows(session: Session, table: TableName, condition: string): Promise<void> {
  await session.query(`delete from ${quotedTable(table)} with (tablockx) where ${condition};`);
}

async function insertRows(session: Session, commit: Commit, { columns, rowCount }: StagedRow): Promise<void> {
  const { table, name } = commit;
  const target = [...columns.map((column) => column.name), ...lineageColumns].map(quoted);
  // A column that was nothing but null fits any type.
  const source = [
    ...columns.map((column, index) => (column.isNull ? "null" : `s.[c${index}]`)),
    ...stagedLineage.map((column) => `l.[${column}]`),
  ];
  const [[inserted] = []] = await session.query(
    `insert into ${quotedTable(table)} with (tablockx) (${target.join(", ")}) select ${source.join(", ")} from ${stagingTable(name)} s
     cross join [_casparian].[staging] l where l.[name] = ${literal(name)}; select rowcount_big();`,
  );
  checkInserted(commit, Number(inserted), rowCount);
}

async function insertMarker(session: Session, { table, name, result }: Commit): Promise<void> {
  await session.query(
    `insert into [_casparian].[result] ([schema_name], [table_name], [result], [staging], [output], [job_id], [row_count])
     select ${literal(table.schema)}, ${literal(table.name)}, ${literal(result)}, [name], [output], [job_id], [row_count]
     from [_casparian].[staging] where [name] = ${literal(name)};`,
  );
}

function ofTable({ schema, name }: TableName): string {
  return `[schema_name] = ${literal(schema)} and [table_name] = ${literal(name)}`;
}
