import type { PoolClient } from "pg";
import { lineageColumns } from "../../domain/lineage.ts";
import { checkInserted, type Commit } from "../tables/commit.ts";
import { stagedLineage } from "../tables/staged.ts";
import type { TableName } from "../tables/table-name.ts";
import { lineageTypes } from "./columns.ts";
import { insertMarker } from "./marker.ts";
import { literal, quoted, quotedTable } from "./quote.ts";
import type { Server } from "./server.ts";
import { forgetStaged, lockStaged, stagingTable, type StagedRow } from "./staging.ts";
import { completeTable, forgetResults, lockTable, planTable } from "./table.ts";

/**
 * Makes a staged result visible where its table is not there yet: the staged table itself becomes that table, in one transaction with the commit
 * marker, so that no row is written again. The lineage columns are added with constants, which Postgres keeps once for all rows that are
 * there already (since version 11). Returns false, with nothing done, where the rows must be inserted into a table that is made for them.
 */
export async function moveStaged(server: Server, commit: Commit, columns: StagedRow["columns"]): Promise<boolean> {
  const { table, mode, name } = commit;
  return server.transaction(`the result ${name} can't be committed to ${table.schema}.${table.name}`, async (client) => {
    await lockTable(client, table, "alone");
    const change = await planTable(client, table, columns, mode);
    if (change?.creates !== true || (await isTold(client, table, name))) return false;
    const staged = await lockStaged(client, name);
    if (staged === null) return false;
    await client.query(`lock table ${stagingTable(name)} in access exclusive mode`);
    const { rows } = await client.query<{ count: string }>(`select count(*) from ${stagingTable(name)}`);
    checkInserted(commit, Number(rows[0]!.count), staged.rowCount);
    await renameStaged(client, name, table);
    await addLineage(client, name, table);
    await completeTable(client, table, change);
    await forgetResults(client, table);
    await insertMarker(client, commit, staged);
    await forgetStaged(client, name);
    return true;
  });
}

/**
 * Whether a table that is moved into its schema would differ from one that is made there: in its owner, or in rights that are set for new
 * tables; because an event trigger looks at new ones; or for who decodes the write-ahead log and would find its rows under the staged name.
 */
async function isTold(client: PoolClient, { schema }: TableName, name: string): Promise<boolean> {
  const { rows } = await client.query<{ isTold: boolean }>(
    `select current_setting('wal_level') = 'logical'
       or exists (select from pg_event_trigger where evtenabled <> 'D')
       or exists (select from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace
         where pg_get_userbyid(d.defaclrole) = current_user and d.defaclobjtype = 'r' and n.nspname in ($1, '_casparian'))
       or exists (select from pg_class where oid = to_regclass($2) and pg_get_userbyid(relowner) <> current_user) as "isTold"`,
    [schema, stagingTable(name)],
  );
  return rows[0]!.isTold;
}

async function renameStaged(client: PoolClient, name: string, { schema, name: tableName }: TableName): Promise<void> {
  if (schema !== "_casparian") await client.query(`alter table ${stagingTable(name)} set schema ${quoted(schema)}`);
  await client.query(`alter table ${quotedTable({ schema, name })} rename to ${quoted(tableName)}`);
  await client.query(`alter table ${quotedTable({ schema, name: tableName })} reset (autovacuum_enabled)`);
}

async function addLineage(client: PoolClient, name: string, table: TableName): Promise<void> {
  const { rows } = await client.query<{ lineage: string[] }>(
    `select array[${stagedLineage.map(exactText).join(", ")}] as lineage from _casparian.staging where name = $1`,
    [name],
  );
  const { lineage } = rows[0]!;
  const added = lineageColumns.map((column, at) => `add column ${column} ${lineageTypes[at]!} not null default ${literal(lineage[at]!)}`);
  await client.query(`alter table ${quotedTable(table)} ${added.join(", ")}`);
  // Later rows bring their own; what was added stays with the rows that are there.
  await client.query(`alter table ${quotedTable(table)} ${lineageColumns.map((column) => `alter ${column} drop default`).join(", ")}`);
}

/** A text that says the same whatever the session is set to. */
function exactText(column: string): string {
  return column === "processed_at" ? `to_char(processed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')` : `${column}::text`;
}
