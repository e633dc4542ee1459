import { escapeIdentifier, escapeLiteral } from "pg";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import type { Queryable } from "./pool.ts";

/**
 * Makes the role `casparian_reader` (nobody logs in as it; auditors are its members) and lets it read every table and view of the
 * record. Inside a transaction; where the database's user may not do this, it says so in the log and changes nothing.
 *
 * A migration calls this last, so that a new table is readable from the moment it can be seen. Grants go table by table
 * and not by default privileges, because an external database may hold tables that are not ours.
 */
export async function grantReader(tx: Queryable, options: { readonly log?: Log; readonly readerRole?: string } = {}): Promise<void> {
  const role = options.readerRole ?? "casparian_reader";
  await tx.query("savepoint reader");
  try {
    await tx.query(makeRole(role));
    await tx.query(grantRecord(role));
    await tx.query("release savepoint reader");
  } catch (error) {
    if (!isRefused(error)) throw error;
    await tx.query("rollback to savepoint reader");
    options.log?.warn("auditors have no read-only role in this database: its user may not make one", { role, reason: messageOf(error) });
  }
}

/** Roles belong to the whole cluster: another database's migration may make it between the look and the creation. */
function makeRole(role: string): string {
  return `
do $$ begin
  if not exists (select from pg_roles where rolname = ${escapeLiteral(role)}) then
    create role ${escapeIdentifier(role)} nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$`;
}

function grantRecord(role: string): string {
  const [name, identifier] = [escapeLiteral(role), escapeIdentifier(role)];
  return `
do $$ declare relation regclass; begin
  if not has_schema_privilege(${name}, current_schema(), 'usage') then
    execute format('grant usage on schema %I to ${identifier}', current_schema());
  end if;
  for relation in
    select oid from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm') and starts_with(relname, 'cf_')
      and not has_table_privilege(${name}, oid, 'select')
  loop
    execute format('grant select on %s to ${identifier}', relation);
  end loop;
end $$`;
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "42501";
}
