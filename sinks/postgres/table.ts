import type { PoolClient } from "pg";
import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import type { SinkMode } from "../../domain/topic.ts";
import type { TableName } from "../tables/table-name.ts";
import { lineageTypes, type TargetColumn } from "./columns.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import { takesWithoutLoss } from "./widening.ts";

interface FoundTable {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly isRequired: boolean }[];
  readonly hasJobIndex: boolean;
  readonly mayInsert: boolean;
  readonly mayDelete: boolean;
  readonly isTable: boolean;
}

/** What must be done before results of these columns fit into a table; null where nothing. */
interface TableChange {
  readonly creates: boolean;
  readonly added: readonly TargetColumn[];
  readonly addsIndex: boolean;
}

/**
 * Compares a table with the columns of an output. Throws TerminalFailure SINK_TABLE where its schema is missing, it is not ours to write, or a
 * column's type would not keep every value.
 */
export async function planTable(
  client: PoolClient,
  table: TableName,
  columns: readonly TargetColumn[],
  mode: SinkMode,
): Promise<TableChange | null> {
  const deletes = mode === "replace" || mode === "overwrite";
  const found = await findTable(client, table);
  if (found === null) {
    await checkSchema(client, table);
    return { creates: true, added: columns, addsIndex: deletes };
  }
  checkFound(table, found, deletes);
  checkColumns(table, found, columns);
  const added = columns.filter(({ name }) => !found.columns.some((there) => there.name === name));
  const addsIndex = deletes && !found.hasJobIndex;
  return added.length === 0 && !addsIndex ? null : { creates: false, added, addsIndex };
}

/** The same without an output: whether results could be written at all. */
export async function checkTable(client: PoolClient, table: TableName): Promise<void> {
  const found = await findTable(client, table);
  if (found === null) await checkSchema(client, table);
  else checkFound(table, found, false);
}

/** Brings a table to where results of these columns fit, in a transaction of its own, under a lock that only commits to it wait for. */
export async function ensureTable(server: Server, table: TableName, columns: readonly TargetColumn[], mode: SinkMode): Promise<void> {
  await server.transaction(`${table.schema}.${table.name} can't be made ready`, async (client) => {
    await lockTable(client, table, "alone");
    const change = await planTable(client, table, columns, mode);
    if (change !== null) await changeTable(client, table, change);
  });
}

/** Held to the end of the transaction: `shared` by those that add or replace results, `alone` by one that changes or empties the table. */
export async function lockTable(client: PoolClient, { schema, name }: TableName, how: "shared" | "alone"): Promise<void> {
  const lock = how === "shared" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock";
  await client.query(`select ${lock}(hashtextextended('casparian table ' || $1, 0))`, [JSON.stringify([schema, name])]);
}

async function changeTable(client: PoolClient, table: TableName, change: TableChange): Promise<void> {
  const { creates, added } = change;
  const target = quotedTable(table);
  const columns = added.map(({ name, type }) => `${quoted(name)} ${type}`);
  if (creates) {
    columns.push(...lineageDefinitions);
    await client.query(`create table ${target} (${columns.join(", ")})`);
    await forgetResults(client, table);
  } else if (columns.length > 0) {
    await client.query(`alter table ${target} ${columns.map((column) => `add column ${column}`).join(", ")}`);
  }
  await completeTable(client, table, change);
}

/** Results of a table that somebody has dropped are gone with it. */
export async function forgetResults(client: PoolClient, { schema, name }: TableName): Promise<void> {
  await client.query("delete from _casparian.result where schema_name = $1 and table_name = $2", [schema, name]);
}

/** Comments and the index of a table that has its columns. */
export async function completeTable(client: PoolClient, table: TableName, { added, addsIndex }: TableChange): Promise<void> {
  const target = quotedTable(table);
  const comments = added.filter(({ comment }) => comment !== null);
  if (comments.length > 0)
    await client.query(
      comments.map(({ name, comment }) => `comment on column ${target}.${quoted(name)} is ${literal(comment!)};`).join("\n"),
    );
  if (addsIndex) await client.query(`create index on ${target} using brin (_cf_job_id) with (autosummarize = on)`);
}

const lineageDefinitions = lineageColumns.map((name, index) => `${name} ${lineageTypes[index]!} not null`);

async function findTable(client: PoolClient, { schema, name }: TableName): Promise<FoundTable | null> {
  const { rows } = await client.query<FoundTable>(
    `select c.relkind in ('r', 'p') as "isTable", has_table_privilege(c.oid, 'insert') as "mayInsert",
       has_table_privilege(c.oid, 'delete') as "mayDelete",
       exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = (
         select a.attnum from pg_attribute a where a.attrelid = c.oid and a.attname = '_cf_job_id')) as "hasJobIndex",
       coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
           'isRequired', a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = '') order by a.attnum)
         from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  return rows[0] ?? null;
}

async function checkSchema(client: PoolClient, { schema, name }: TableName): Promise<void> {
  const { rows } = await client.query<{ mayCreate: boolean; role: string }>(
    `select has_schema_privilege(oid, 'create') as "mayCreate", current_user as role from pg_namespace where nspname = $1`,
    [schema],
  );
  const [found] = rows;
  if (found === undefined)
    throw refused(`the schema ${schema} is not there, so the table ${name} can't be made`, `create schema ${quoted(schema)};`);
  if (!found.mayCreate)
    throw refused(
      `the user ${found.role} may not make the table ${name} in the schema ${schema}`,
      `grant create on schema ${quoted(schema)} to ${quoted(found.role)};`,
    );
}

function checkFound(table: TableName, { isTable, mayInsert, mayDelete, columns }: FoundTable, deletes: boolean): void {
  const shown = `${table.schema}.${table.name}`;
  if (!isTable) throw refused(`${shown} is no table`, "Name another in the topic's URI");
  const missing = lineageColumns.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0) {
    const additions = missing.map((name) => `add column ${name} ${lineageTypes[lineageColumns.indexOf(name)]!} not null`);
    throw refused(
      `the table ${shown} is there already and not one of ours: it has no column ${missing.join(", ")}`,
      `Name another table in the topic's URI; or, where it is empty: alter table ${quotedTable(table)} ${additions.join(", ")};`,
    );
  }
  const lacking = !mayInsert ? "insert" : deletes && !mayDelete ? "delete" : null;
  if (lacking !== null)
    throw refused(
      `the sink's user may not ${lacking} rows in ${shown}`,
      `grant select, insert, delete on ${quotedTable(table)} to the user;`,
    );
}

function checkColumns(table: TableName, { columns: there }: FoundTable, wanted: readonly TargetColumn[]): void {
  const shown = `${table.schema}.${table.name}`;
  const all = [...wanted, ...lineageColumns.map((name, index) => ({ name, type: lineageTypes[index]!, isNull: false }))];
  for (const { name, type, isNull } of all) {
    const found = there.find((column) => column.name === name);
    if (found === undefined || isNull || takesWithoutLoss(found.type, type)) continue;
    throw refused(
      `column "${name}" of ${shown} is of type ${found.type}, and the output's is ${type}, which would not always fit into it`,
      `Cast it in the plugin; or change the table: alter table ${quotedTable(table)} alter column ${quoted(name)} type ${type};`,
    );
  }
  const unfilled = there.find(({ name, isRequired }) => isRequired && !all.some((column) => column.name === name));
  if (unfilled === undefined) return;
  throw refused(
    `column "${unfilled.name}" of ${shown} is "not null", and the output has no such column`,
    `Yield it in the plugin; or: alter table ${quotedTable(table)} alter column ${quoted(unfilled.name)} drop not null;`,
  );
}

function refused(message: string, hint: string): TerminalFailure {
  return new TerminalFailure({ code: "SINK_TABLE", message, hint });
}
