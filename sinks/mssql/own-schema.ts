import { createHash } from "node:crypto";
import { TransientFailure } from "../../domain/failure.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { literal } from "./quote.ts";

/**
 * What the sink keeps for itself in each database. `staging` has a row for each result that is being loaded or waits for its commit, beside a
 * table `_casparian.<name>` with its rows; `row_count` is null until all of them are there. `result` is the commit marker: a row for each
 * result that a table shows.
 */
const ownTables = `
create table [_casparian].[staging] (
  [name] nvarchar(128) not null primary key,
  [schema_name] nvarchar(128) not null,
  [table_name] nvarchar(128) not null,
  [result] varchar(300) not null,
  [output] varchar(100) not null,
  [job_id] bigint not null,
  [attempt] int not null,
  [source_hash] varchar(64) not null,
  [file_version_id] bigint not null,
  [processed_at] datetimeoffset(6) not null,
  [plugin_version] nvarchar(400) not null,
  [columns] nvarchar(max) not null,
  [row_count] bigint null,
  [staged_at] datetimeoffset(6) not null default sysdatetimeoffset()
);
create table [_casparian].[result] (
  [schema_name] nvarchar(128) not null,
  [table_name] nvarchar(128) not null,
  [result] varchar(300) not null,
  [staging] nvarchar(128) not null,
  [output] varchar(100) not null,
  [job_id] bigint not null,
  [row_count] bigint not null,
  [committed_at] datetimeoffset(6) not null default sysdatetimeoffset(),
  primary key ([schema_name], [table_name], [result])
);`;

/** Makes the schema where it is not there yet. */
export async function ensureOwnSchema(server: Server): Promise<void> {
  const doing = "the schema _casparian, which the sink works in, can't be made";
  if (await server.use(doing, hasOwnSchema)) return;
  await server.transaction(doing, async (session) => {
    await lock(session, "casparian schema");
    const [[schema] = []] = await session.query("select schema_id(N'_casparian');");
    if (schema === null) await session.query("create schema [_casparian];");
    if (!(await hasOwnSchema(session))) await session.query(ownTables);
  });
}

/** Whether anything was ever staged in the database. */
export async function hasOwnSchema(session: Session): Promise<boolean> {
  const [[id] = []] = await session.query("select object_id(N'[_casparian].[result]', N'U');");
  return id !== null;
}

/** Waits longer than any commit should take, and not for ever. */
const lockMs = 600_000;

/** Holds a name to the end of the transaction. Case makes no difference, because to most servers it doesn't for tables. */
export async function lock(session: Session, what: string): Promise<void> {
  const resource = `casparian ${createHash("sha256").update(what.toLowerCase()).digest("hex")}`;
  const [[got] = []] = await session.query(
    `declare @got int; exec @got = sp_getapplock @Resource = ${literal(resource)}, @LockMode = N'Exclusive', @LockOwner = N'Transaction', ` +
      `@LockTimeout = ${lockMs}; select @got;`,
  );
  if (typeof got === "number" && got >= 0) return;
  throw new TransientFailure({
    code: "SINK_UNREACHABLE",
    message: `the lock "${what}" was not to be had: sp_getapplock answered ${String(got)}`,
  });
}
