import { resultOf } from "../result-name.ts";
import type { OpenRequest } from "../sink.ts";
import type { TableName } from "../tables/table-name.ts";
import type { TargetColumn } from "./columns.ts";
import { hasOwnSchema } from "./own-schema.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { declaration, type SqlType } from "./sql-type.ts";
import { lockTable } from "./table.ts";

/** A result that waits for its commit, as its database has it. */
export interface StagedRow {
  readonly jobId: string;
  readonly columns: readonly TargetColumn[];
  /** Null while it is being loaded. */
  readonly rowCount: number | null;
}

export function stagingTable(name: string): string {
  return quotedTable({ schema: "_casparian", name });
}

/**
 * The columns of a staging table: they have numbers for names, because the driver doesn't quote those that it loads. A table has one at least.
 */
export function stagingColumns(columns: readonly TargetColumn[]): readonly { readonly name: string; readonly type: SqlType }[] {
  if (columns.length === 0) return [{ name: "c0", type: { base: "bit" } }];
  return columns.map(({ type, isNull }, index) => ({ name: `c${index}`, type: isNull ? { base: "bit" } : type }));
}

/**
 * Makes and registers the table for a result's rows. Not in the transaction that loads them, which would keep everybody from listing the
 * database's tables for as long.
 */
export async function createStaging(
  session: Session,
  {
    request,
    table,
    name,
    columns,
  }: { readonly request: OpenRequest; readonly table: TableName; readonly name: string; readonly columns: readonly TargetColumn[] },
): Promise<void> {
  const { jobId, attempt, output, lineage } = request;
  const definitions = stagingColumns(columns).map((column) => `${quoted(column.name)} ${declaration(column.type)} null`);
  const texts = [name, table.schema, table.name, resultOf(request), output].map(literal);
  await session.query(`create table ${stagingTable(name)} (${definitions.join(", ")});`);
  await session.query(
    `insert into [_casparian].[staging] ([name], [schema_name], [table_name], [result], [output], [job_id], [attempt], [source_hash],
       [file_version_id], [processed_at], [plugin_version], [columns])
     values (${texts.join(", ")}, ${integer(jobId)}, ${integer(String(attempt))}, ${literal(lineage.sourceHash)},
       ${integer(lineage.fileVersionId)}, ${literal(lineage.processedAt.toISOString())}, ${literal(lineage.pluginVersion)},
       ${literal(JSON.stringify(columns))});`,
  );
}

/** Counts the rows of a staging table and registers that all of them are there; within the transaction that loaded them. */
export async function finishStaging(session: Session, name: string): Promise<number> {
  const [[count] = []] = await session.query(`select count_big(*) from ${stagingTable(name)};`);
  await session.query(`update [_casparian].[staging] set [row_count] = ${integer(String(count))} where [name] = ${literal(name)};`);
  return Number(count);
}

/** What is staged under a name; null where nothing is. Within a transaction that has locked the target. */
export async function findStaged(session: Session, name: string): Promise<StagedRow | null> {
  const [row] = await session.query(`select [job_id], [columns], [row_count] from [_casparian].[staging] where [name] = ${literal(name)};`);
  if (row === undefined) return null;
  const [jobId, columns, rowCount] = row;
  return {
    jobId: String(jobId),
    columns: JSON.parse(String(columns)) as readonly TargetColumn[],
    rowCount: rowCount === null ? null : Number(rowCount),
  };
}

export async function removeStaged(session: Session, name: string): Promise<void> {
  await session.query(`delete from [_casparian].[staging] where [name] = ${literal(name)};`);
  await session.query(`drop table if exists ${stagingTable(name)};`);
}

/** Does nothing where it was committed or removed. */
export async function discardStaged(server: Server, table: TableName, name: string): Promise<void> {
  await server.transaction(`the staged result ${name} can't be removed`, async (session) => {
    if (!(await hasOwnSchema(session))) return;
    await lockTable(session, table);
    if ((await findStaged(session, name)) !== null) await removeStaged(session, name);
  });
}

/** What is staged for a table, by whichever attempt. */
export async function listStaged(
  server: Server,
  table: TableName,
): Promise<readonly { readonly name: string; readonly jobId: string; readonly attempt: number }[]> {
  return server.use(`what is staged for ${table.schema}.${table.name} can't be read`, async (session) => {
    if (!(await hasOwnSchema(session))) return [];
    const rows = await session.query(
      `select [name], [job_id], [attempt] from [_casparian].[staging]
       where [schema_name] = ${literal(table.schema)} and [table_name] = ${literal(table.name)};`,
    );
    return rows.map(([name, jobId, attempt]) => ({ name: String(name), jobId: String(jobId), attempt: Number(attempt) }));
  });
}

/** A number as T-SQL takes it; of ids, which come as texts. */
export function integer(text: string): string {
  return String(BigInt(text));
}
