import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import type { SinkMode } from "../../domain/topic.ts";
import type { TableName } from "../tables/table-name.ts";
import { lineageTypes, refuseSameNames, type TargetColumn } from "./columns.ts";
import { lock } from "./own-schema.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { declaration } from "./sql-type.ts";
import { foundType, takesWithoutLoss, type FoundColumn } from "./widening.ts";

/** What must be done before results of these columns fit into a table; null where nothing. */
interface TableChange {
  readonly creates: boolean;
  readonly added: readonly TargetColumn[];
  readonly addsIndex: boolean;
}

/**
 * Compares a table with the columns of an output. Throws TerminalFailure SINK_TABLE where it is not one of ours, or a column's type would not keep
 * every value, and SINK_COLUMNS.
 */
export async function planTable(
  session: Session,
  table: TableName,
  columns: readonly TargetColumn[],
  mode: SinkMode,
): Promise<TableChange | null> {
  const { isThere, isSensitive, fold } = await findTable(session, table);
  if (!isSensitive) refuseSameNames(columns);
  const deletes = mode === "replace" || mode === "overwrite";
  if (!isThere) return { creates: true, added: columns, addsIndex: deletes };
  const found = await findColumns(session, table);
  checkColumns(table, found, columns, fold);
  const added = columns.filter(({ name }) => !found.some((there) => fold(there.name) === fold(name)));
  const addsIndex = deletes && !(await hasJobIndex(session, table));
  return added.length === 0 && !addsIndex ? null : { creates: false, added, addsIndex };
}

/** Whether a table is there, and how names are compared: by the database's collation, as those of tables and columns are. */
export async function findTable(
  session: Session,
  table: TableName,
): Promise<{ readonly isThere: boolean; readonly isSensitive: boolean; readonly fold: (name: string) => string }> {
  const [[id, sensitive] = []] = await session.query(
    `select object_id(${literal(quotedTable(table))}), case when N'a' = N'A' then 0 else 1 end;`,
  );
  const isSensitive = sensitive === 1;
  return { isThere: id !== null, isSensitive, fold: (name) => (isSensitive ? name : name.toLowerCase()) };
}

/** Brings a table to where results of these columns fit, in a transaction of its own. */
export async function ensureTable(server: Server, table: TableName, columns: readonly TargetColumn[], mode: SinkMode): Promise<void> {
  const doing = `${table.schema}.${table.name} can't be made ready`;
  if ((await server.use(doing, (session) => planTable(session, table, columns, mode))) === null) return;
  await server.transaction(doing, async (session) => {
    await lockTable(session, table);
    const change = await planTable(session, table, columns, mode);
    if (change !== null) await changeTable(session, table, change);
  });
}

/** Held to the end of the transaction by all that change a table. */
export async function lockTable(session: Session, { schema, name }: TableName): Promise<void> {
  await lock(session, `table ${JSON.stringify([schema, name])}`);
}

async function changeTable(session: Session, table: TableName, { creates, added, addsIndex }: TableChange): Promise<void> {
  const target = quotedTable(table);
  const columns = added.map(({ name, type }) => `${quoted(name)} ${declaration(type)} null`);
  if (creates) {
    const lineage = lineageColumns.map((name, index) => `${quoted(name)} ${lineageTypes[index]!} not null`);
    await session.query(`create table ${target} (${[...columns, ...lineage].join(", ")});`);
    // Results of a table that somebody has dropped are gone with it.
    await session.query(
      `delete from [_casparian].[result] where [schema_name] = ${literal(table.schema)} and [table_name] = ${literal(table.name)};`,
    );
  } else if (columns.length > 0) {
    await session.query(`alter table ${target} add ${columns.join(", ")};`);
  }
  if (addsIndex) await session.query(`create index [_cf_job_id] on ${target} ([_cf_job_id]);`);
}

export async function findColumns(session: Session, table: TableName): Promise<readonly FoundColumn[]> {
  const rows = await session.query(
    `select c.[name], t.[name], c.[max_length], c.[precision], c.[scale],
       case when c.[is_nullable] = 1 or c.[is_identity] = 1 or c.[is_computed] = 1 or c.[default_object_id] <> 0 then 0 else 1 end
     from sys.columns c join sys.types t on t.[user_type_id] = c.[user_type_id]
     where c.[object_id] = object_id(${literal(quotedTable(table))}) order by c.[column_id];`,
  );
  return rows.map(([name, type, length, precision, scale, isRequired]) => ({
    name: String(name),
    type: String(type),
    length: Number(length),
    precision: Number(precision),
    scale: Number(scale),
    isRequired: isRequired === 1,
  }));
}

async function hasJobIndex(session: Session, table: TableName): Promise<boolean> {
  const rows = await session.query(
    `select i.[index_id] from sys.index_columns i join sys.columns c on c.[object_id] = i.[object_id] and c.[column_id] = i.[column_id]
     where i.[object_id] = object_id(${literal(quotedTable(table))}) and i.[key_ordinal] = 1 and c.[name] = N'_cf_job_id';`,
  );
  return rows.length > 0;
}

function checkColumns(
  table: TableName,
  found: readonly FoundColumn[],
  wanted: readonly TargetColumn[],
  fold: (name: string) => string,
): void {
  const shown = `${table.schema}.${table.name}`;
  const alter = `alter table ${quotedTable(table)}`;
  const there = new Map(found.map((column) => [fold(column.name), column]));
  const missing = lineageColumns.filter((name) => !there.has(fold(name)));
  if (missing.length > 0) {
    const additions = missing.map((name) => `${name} ${lineageTypes[lineageColumns.indexOf(name)]!} not null`);
    throw refused(
      `the table ${shown} is there already and not one of ours: it has no column ${missing.join(", ")}`,
      `Name another table in the topic's URI; or, where it is empty: ${alter} add ${additions.join(", ")};`,
    );
  }
  for (const [index, name] of lineageColumns.entries()) {
    const column = there.get(fold(name))!;
    if (foundType(column) !== lineageTypes[index])
      throw refused(
        `column "${name}" of ${shown} is of type ${foundType(column)} where ${lineageTypes[index]!} is needed`,
        `Name another table in the topic's URI; or: ${alter} alter column ${name} ${lineageTypes[index]!} not null;`,
      );
  }
  for (const { name, type, isNull } of wanted) {
    const column = there.get(fold(name));
    if (column === undefined || isNull || takesWithoutLoss(column, type)) continue;
    throw refused(
      `column "${name}" of ${shown} is of type ${foundType(column)}, and the output's is ${declaration(type)}, which would not always fit into it`,
      `Cast it in the plugin; or change the table: ${alter} alter column ${quoted(column.name)} ${declaration(type)} null;`,
    );
  }
  const filled = new Set([...wanted, ...lineageColumns.map((name) => ({ name }))].map(({ name }) => fold(name)));
  const unfilled = found.find(({ name, isRequired }) => isRequired && !filled.has(fold(name)));
  if (unfilled === undefined) return;
  throw refused(
    `column "${unfilled.name}" of ${shown} is "not null", and the output has no such column`,
    `Yield it in the plugin; or: ${alter} alter column ${quoted(unfilled.name)} ${foundType(unfilled)} null;`,
  );
}

function refused(message: string, hint: string): TerminalFailure {
  return new TerminalFailure({ code: "SINK_TABLE", message, hint });
}
