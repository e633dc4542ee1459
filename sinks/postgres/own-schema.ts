import type { PoolClient } from "pg";
import { TerminalFailure } from "../../domain/failure.ts";
import { quoted } from "./quote.ts";
import type { Server } from "./server.ts";

/**
 * What the sink keeps for itself in each database. `staging` has a row for each staged result, beside a table `_casparian.<name>` with its
 * rows; both are made in one transaction. `result` is the commit marker: a row for each result that a table shows.
 */
const ownTables = `
do $$ begin
  if to_regnamespace('_casparian') is null then
    create schema _casparian;
    comment on schema _casparian is 'Of Casparian Flow: results that wait for their commit, and which are visible';
  end if;
end $$;
create table if not exists _casparian.staging (
  name text primary key,
  schema_name text not null,
  table_name text not null,
  result text not null,
  output text not null,
  job_id bigint not null,
  attempt integer not null,
  source_hash text not null,
  file_version_id bigint not null,
  processed_at timestamptz not null,
  plugin_version text not null,
  columns jsonb not null,
  row_count bigint not null,
  staged_at timestamptz not null default now()
);
create table if not exists _casparian.result (
  schema_name text not null,
  table_name text not null,
  result text not null,
  staging text not null,
  output text not null,
  job_id bigint not null,
  row_count bigint not null,
  committed_at timestamptz not null default now(),
  primary key (schema_name, table_name, result)
);
create index if not exists result_job on _casparian.result (schema_name, table_name, job_id);
`;

/** Makes the schema where it is not there yet. */
export async function ensureOwnSchema(server: Server): Promise<void> {
  await server.use("nothing can be staged", async (client) => {
    if (await checkOwnSchema(client)) return;
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock(hashtextextended('casparian schema', 0))");
    await client.query(ownTables);
    await client.query("commit");
  });
}

/** Returns whether it is there. Throws TerminalFailure SINK_TABLE where it is not and may not be made, or may not be used. */
export async function checkOwnSchema(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ mayUse: boolean | null; mayMake: boolean; role: string; database: string }>(
    `select (select has_schema_privilege(n.oid, 'usage, create') and not exists (
         select from pg_class c where c.relnamespace = n.oid and c.relname in ('staging', 'result') and not has_table_privilege(c.oid, 'insert'))
         from pg_namespace n where n.nspname = '_casparian') as "mayUse",
       has_database_privilege(current_database(), 'create') as "mayMake", current_user as role, current_database() as database`,
  );
  const { mayUse, mayMake, role, database } = rows[0]!;
  if (mayUse ?? mayMake) return hasOwnSchema(client);
  throw new TerminalFailure({
    code: "SINK_TABLE",
    message: `the user ${role} may not ${mayUse === null ? "make" : "use"} the schema _casparian in ${database}, in which results wait for their commit`,
    hint: `Let an administrator of the database run: create schema if not exists _casparian; grant all on schema _casparian to ${quoted(role)}; grant all on all tables in schema _casparian to ${quoted(role)};`,
  });
}

/** Whether anything was ever staged in the database. */
export async function hasOwnSchema(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    "select exists (select from pg_class where relname = 'result' and relnamespace = to_regnamespace('_casparian')) as there",
  );
  return rows[0]!.there;
}
