import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { messageOf, TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { grantReader } from "./reader.ts";
import { transaction, type Database, type Queryable } from "./pool.ts";

interface Migration {
  /** The file's name, such as `0001_record.sql`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file's text, hex. */
  readonly checksum: string;
}

export interface MigrateOptions {
  readonly log?: Log;
  /** Another folder of migrations than this program's. */
  readonly folder?: URL;
  /** Another name for the auditors' role, for clusters that several records share. */
  readonly readerRole?: string;
}

/**
 * Brings the record to this program's schema and returns the names of the migrations that it applied; none if there was nothing
 * to do. All of them land, or none. Several programs may do this at once: one works, the others wait.
 * Throws TerminalFailure MIGRATION_CHANGED, DATABASE_NEWER, DATABASE_UNSUITABLE or MIGRATION_FAILED.
 */
export async function migrate(db: Database, options: MigrateOptions = {}): Promise<readonly string[]> {
  const known = await readMigrations(options.folder ?? new URL("./migrations/", import.meta.url));
  return transaction(db, async (tx) => {
    await requireSuitable(tx);
    await tx.query("select pg_advisory_xact_lock(hashtext('casparian'), hashtext('migrate'))");
    await tx.query(
      `create table if not exists cf_schema_migration (
         name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
    );
    const pending = await pendingOf(tx, known);
    for (const migration of pending) await apply(tx, migration);
    await grantReader(tx, options);
    return pending.map((migration) => migration.name);
  });
}

async function readMigrations(folder: URL): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      // A checkout with Windows line ends is the same migration.
      const sql = (await readFile(new URL(name, folder), "utf8")).replaceAll("\r\n", "\n");
      return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

async function requireSuitable(tx: Queryable): Promise<void> {
  const { rows } = await tx.query<{ version: number; encoding: string }>(
    "select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding",
  );
  const [server] = rows;
  if (server === undefined || server.version < 150_000) {
    throw new TerminalFailure({
      code: "DATABASE_UNSUITABLE",
      message: `the database is PostgreSQL ${Math.floor((server?.version ?? 0) / 10_000)}, and the record needs 15 or newer`,
      hint: 'Use a newer server, or the embedded one: [database] url = "embedded"',
    });
  }
  if (server.encoding !== "UTF8") {
    throw new TerminalFailure({
      code: "DATABASE_UNSUITABLE",
      message: `the database's encoding is ${server.encoding}, and the record needs UTF8, because paths may hold any character`,
      hint: "Create it with: create database casparian encoding 'UTF8' template template0",
    });
  }
}

async function pendingOf(tx: Queryable, known: readonly Migration[]): Promise<readonly Migration[]> {
  const { rows: landed } = await tx.query<{ name: string; checksum: string }>(
    "select name, checksum from cf_schema_migration order by name",
  );
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const { name, checksum } of landed) {
    const migration = byName.get(name);
    if (migration === undefined) {
      throw new TerminalFailure({
        code: "DATABASE_NEWER",
        message: `the database is newer than this program: it holds the migration ${name}, which this program doesn't know`,
        hint: "Use the version of Casparian that made it, or a later one; migrations only go forward",
      });
    }
    if (migration.checksum !== checksum) {
      throw new TerminalFailure({
        code: "MIGRATION_CHANGED",
        message: `the migration ${name} was changed after it had been applied to this database`,
        hint: "Restore the file as it was released; a change to the schema is a new migration",
        data: { applied: checksum, found: migration.checksum },
      });
    }
  }
  const newest = landed.at(-1)?.name ?? "";
  const pending = known.slice(landed.length);
  const late = known.find((migration) => migration.name < newest && !landed.some(({ name }) => name === migration.name));
  if (late !== undefined) {
    throw new TerminalFailure({
      code: "MIGRATION_CHANGED",
      message: `the migration ${late.name} comes before ${newest}, which this database already has`,
      hint: "Give it the next free number; migrations only go forward",
    });
  }
  return pending;
}

async function apply(tx: Queryable, migration: Migration): Promise<void> {
  try {
    await tx.query(migration.sql);
  } catch (error) {
    throw new TerminalFailure({
      code: "MIGRATION_FAILED",
      message: `the migration ${migration.name} failed, and nothing was changed: ${messageOf(error)}`,
      cause: error,
    });
  }
  await tx.query("insert into cf_schema_migration (name, checksum) values ($1, $2)", [migration.name, migration.checksum]);
}
