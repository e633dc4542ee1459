import type pg from "pg";
import { messageOf, TerminalFailure, WrongUse } from "../domain/failure.ts";
import { holdClient } from "./client.ts";
import type { Database } from "./pool.ts";

export interface QueryResult {
  readonly columns: readonly { readonly name: string; readonly typeOid: number }[];
  /** Values as the server prints them, in UTC; null for null. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Runs one statement of somebody's in a read-only transaction that is rolled back, as the role `casparian_reader` where the
 * connection may take it. When `signal` is aborted the server is told to stop.
 * Throws WrongUse for several statements or none, TerminalFailure SQL_REFUSED for a write or a table that readers may not see, and
 * SQL_FAILED in the server's words.
 */
export function queryReadOnly(db: Database, text: string, signal?: AbortSignal): Promise<QueryResult> {
  return holdClient(db, async (held) => {
    const { client } = held;
    const cancel = await cancellation(db, client);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      await client.query("begin transaction read only");
      await client.query("set local time zone 'UTC'");
      await becomeReader(client);
      return await run(client, text);
    } finally {
      signal?.removeEventListener("abort", cancel);
      await client.query("rollback").catch((error: Error) => (held.broken ??= error));
    }
  });
}

/** A server does not notice by itself that nobody waits for its answer any more. Takes a second connection. */
async function cancellation(db: Database, client: pg.PoolClient): Promise<() => void> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  return () => void db.query("select pg_cancel_backend($1)", [rows[0]?.pid]).catch(() => {});
}

async function becomeReader(client: pg.PoolClient): Promise<void> {
  await client.query("savepoint reader");
  try {
    await client.query("set local role casparian_reader");
    await client.query("release savepoint reader");
  } catch {
    // No such role, or not ours to take: the connection's own rights and the read-only transaction stand.
    await client.query("rollback to savepoint reader");
  }
}

async function run(client: pg.PoolClient, text: string): Promise<QueryResult> {
  // The extended protocol takes one statement only, whatever the text holds; a check of ours could be talked round.
  const query: pg.QueryArrayConfig & { readonly queryMode: "extended" } = { text, rowMode: "array", queryMode: "extended", types: asText };
  try {
    const result = await client.query<(string | null)[]>(query);
    if (result.command === null) throw new WrongUse("there is no statement to run", "casparian sql 'select …'");
    if (result.command === "COPY") throw new WrongUse("copy has no place to go to here", "Use a select, and --csv for a file");
    return { columns: result.fields.map((field) => ({ name: field.name, typeOid: field.dataTypeID })), rows: result.rows };
  } catch (error) {
    throw error instanceof WrongUse ? error : explain(error, text);
  }
}

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value };

function explain(error: unknown, text: string): Error {
  const { code, hint, detail, position } = error as Partial<pg.DatabaseError>;
  // Without a code it is not the server who speaks: the connection broke.
  if (!(error instanceof Error) || code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return error as Error;
  if (/multiple commands/.test(error.message)) return new WrongUse("one statement at a time", "Run casparian sql once for each statement");
  const refused = code === "25006" || code === "42501";
  return new TerminalFailure({
    code: refused ? "SQL_REFUSED" : "SQL_FAILED",
    message: [messageOf(error), position === undefined ? null : place(text, Number(position)), detail]
      .filter((part) => part != null)
      .join("; "),
    hint: refused ? "casparian sql only reads the record; the other commands change it" : (hint ?? tablesHint(code)),
    cause: error,
  });
}

/** 42P01: undefined table. */
function tablesHint(code: string): string | undefined {
  return code === "42P01"
    ? "Tables: casparian sql \"select table_name from information_schema.tables where table_name like 'cf_%'\""
    : undefined;
}

/** Positions count characters from 1. */
function place(text: string, position: number): string {
  const before = [...text].slice(0, position - 1).join("");
  const line = before.split("\n").length;
  const near = [...text]
    .slice(position - 1, position + 19)
    .join("")
    .replace(/\s+/g, " ");
  return `at line ${line}, near "${near}"`;
}
