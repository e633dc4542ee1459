import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import type { TableName } from "../tables/table-name.ts";
import { quoted, quotedTable } from "../postgres/quote.ts";
import { lineageTypes, type TargetColumn } from "./columns.ts";
import type { Engine } from "./engine.ts";
import { folded } from "./folded.ts";
import { takesWithoutLoss } from "./widening.ts";

interface FoundColumn {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
}

/** What must be done before results of these columns fit into a table. */
export interface TableChange {
  readonly creates: boolean;
  readonly added: readonly TargetColumn[];
}

/**
 * Compares a table with the columns of an output. Throws TerminalFailure SINK_TABLE where it is not ours to write, or a column's type would not
 * keep every value.
 */
export async function planTable(engine: Engine, table: TableName, columns: readonly TargetColumn[]): Promise<TableChange> {
  const found = await findColumns(engine, table);
  if (found === null) return { creates: true, added: columns };
  checkOurs(table, found);
  checkColumns(table, found, columns, await canonical(engine, columns));
  return { creates: false, added: columns.filter(({ name }) => find(found, name) === undefined) };
}

/** The same without an output: whether results could be written at all. */
export async function checkTable(engine: Engine, table: TableName): Promise<void> {
  const found = await findColumns(engine, table);
  if (found !== null) checkOurs(table, found);
}

export async function changeTable({ connection }: Engine, table: TableName, { creates, added }: TableChange): Promise<void> {
  const target = quotedTable(table);
  if (creates) {
    const columns = [...added.map(({ name, type }) => `${quoted(name)} ${type}`), ...lineageDefinitions];
    await connection.run(`create schema if not exists ${quoted(table.schema)}`);
    await connection.run(`create table ${target} (${columns.join(", ")})`);
  } else {
    for (const { name, type } of added) await connection.run(`alter table ${target} add column ${quoted(name)} ${type}`);
  }
  for (const { name, comment } of added)
    if (comment !== null) await connection.run(`comment on column ${target}.${quoted(name)} is ${literal(comment)}`);
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const lineageDefinitions = lineageColumns.map((name, index) => `${name} ${lineageTypes[index]!} not null`);

/** Null where there is no table of that name. */
async function findColumns(engine: Engine, table: TableName): Promise<readonly FoundColumn[] | null> {
  const there = [table.schema, table.name];
  const ofTable = "database_name = current_database() and lower(schema_name) = lower($1)";
  const isIt = ([schema, name]: readonly [string, string, ...unknown[]]): boolean =>
    folded(schema) === folded(table.schema) && folded(name) === folded(table.name);
  const views = await engine.rows<[string, string]>(
    `select schema_name, view_name from duckdb_views() where ${ofTable} and lower(view_name) = lower($2)`,
    there,
  );
  if (views.some(isIt)) throw refused(`${table.schema}.${table.name} is a view and no table`, "Name another in the topic's URI");
  const rows = await engine.rows<[string, string, string, string, boolean]>(
    `select schema_name, table_name, column_name, data_type, not is_nullable and column_default is null from duckdb_columns()
     where ${ofTable} and lower(table_name) = lower($2) order by column_index`,
    there,
  );
  const columns = rows.filter(isIt).map(([, , name, type, isRequired]) => ({ name, type, isRequired }));
  return columns.length === 0 ? null : columns;
}

function find(columns: readonly FoundColumn[], name: string): FoundColumn | undefined {
  return columns.find((column) => folded(column.name) === folded(name));
}

/** Types as DuckDB writes them. */
async function canonical(engine: Engine, columns: readonly TargetColumn[]): Promise<readonly string[]> {
  const [row] = await engine.rows<string[]>(`select ${columns.map(({ type }) => `typeof(null::${type})`).join(", ")}`);
  return row!;
}

function checkOurs(table: TableName, columns: readonly FoundColumn[]): void {
  const missing = lineageColumns.filter((name) => find(columns, name) === undefined);
  const shown = `${table.schema}.${table.name}`;
  if (missing.length > 0)
    throw refused(
      `the table ${shown} is there already and not one of ours: it has no column ${missing.join(", ")}`,
      "Name another table in the topic's URI",
    );
  const other = lineageColumns.findIndex((name, index) => find(columns, name)!.type !== lineageTypes[index]);
  if (other >= 0)
    throw refused(
      `column "${lineageColumns[other]}" of ${shown} is of type ${find(columns, lineageColumns[other]!)!.type}, and lineage needs ${lineageTypes[other]}`,
      "Name another table in the topic's URI",
    );
}

function checkColumns(table: TableName, there: readonly FoundColumn[], wanted: readonly TargetColumn[], types: readonly string[]): void {
  const shown = `${table.schema}.${table.name}`;
  for (const [index, { name, isNull }] of wanted.entries()) {
    const found = find(there, name);
    const type = types[index]!;
    if (found === undefined || isNull || takesWithoutLoss(found.type, type)) continue;
    throw refused(
      `column "${name}" of ${shown} is of type ${found.type}, and the output's is ${type}, which would not always fit into it`,
      `Cast it in the plugin; or change the table: alter table ${quotedTable(table)} alter column ${quoted(name)} type ${type};`,
    );
  }
  const given = new Set([...wanted.map(({ name }) => folded(name)), ...lineageColumns]);
  const unfilled = there.find(({ name, isRequired }) => isRequired && !given.has(folded(name)));
  if (unfilled === undefined) return;
  throw refused(
    `column "${unfilled.name}" of ${shown} is "not null", and the output has no such column`,
    `Yield it in the plugin; or: alter table ${quotedTable(table)} alter column ${quoted(unfilled.name)} drop not null;`,
  );
}

function refused(message: string, hint: string): TerminalFailure {
  return new TerminalFailure({ code: "SINK_TABLE", message, hint });
}
