import { Client, Pool, type ClientConfig, type PoolClient } from "pg";
import { messageOf, ServiceUnreachable, TerminalFailure } from "../domain/failure.ts";
import { holdClient } from "./client.ts";

/** A pool, or a client inside a transaction. */
export type Queryable = Pick<PoolClient, "query">;

export type Database = Pool;

/**
 * Opens a pool; nothing connects before the first query. Values of `bigint` columns arrive as strings.
 * The first query of each connection throws ServiceUnreachable with host and port when nobody answers within 10 s, and
 * TerminalFailure DATABASE_REFUSED when the server answers but doesn't let us in.
 */
export function openDatabase(url: string, options: { readonly max?: number; readonly applicationName?: string } = {}): Database {
  const pool = new Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? "casparian",
    keepAlive: true,
    Client: clientThatNames(placeOf(url)),
  });
  // An idle connection that breaks has already left the pool, and the next query opens another; unheard, the event would end the process.
  pool.on("error", () => {});
  return pool;
}

const names = new Map<string, string>();

/** A query that each connection parses once and then knows by name, for what is asked for each file. */
export function prepared(text: string, values: readonly unknown[]): { name: string; text: string; values: unknown[] } {
  const name = names.get(text) ?? `cf_${names.size + 1}`;
  names.set(text, name);
  return { name, text, values: [...values] };
}

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export function transaction<T>(db: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return holdClient(db, async (held) => {
    try {
      await held.client.query("begin");
      const result = await work(held.client);
      await held.client.query("commit");
      return result;
    } catch (error) {
      await held.client.query("rollback").catch((failed: Error) => (held.broken ??= failed));
      throw error;
    }
  });
}

/**
 * Whether a query may succeed when it is tried again: the connection broke, the server is starting, stopping or full, or two
 * transactions got in each other's way.
 */
export function isDatabaseTrouble(error: unknown): boolean {
  return error instanceof ServiceUnreachable || /^(40001|40P01)$/.test(codeOf(error)) || isConnectionTrouble(error);
}

/** Class 08, 57P01 to 57P03 (stopped, crashed, starting), 53300 (no connection left), the operating system's own, and the driver's, which have no code. */
function isConnectionTrouble(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== "") return /^(08|57P0[123]$|53300$|E(CONN|HOST|NET|PIPE|TIMEDOUT|AI_|NOTFOUND|ADDRNOTAVAIL))/.test(code);
  return /^(Connection terminated|Client has encountered a connection error|timeout expired)/.test(messageOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The pool hands every connection failure to whoever asked for a query, so a client that names the place is enough. */
function clientThatNames(place: string): new (config?: string | ClientConfig) => Client {
  type Connected = (error: Error | null) => void;
  return class extends Client {
    constructor(config?: string | ClientConfig) {
      // The limit is set here and not for the pool, where it would also count the wait for a free connection.
      super(typeof config === "string" ? config : { ...config, connectionTimeoutMillis: 10_000 });
    }

    override connect(): Promise<Client>;
    override connect(connected: Connected): void;
    override connect(connected?: Connected): Promise<Client> | void {
      const fail = (error: unknown): Error => {
        // The driver leaves a socket open on which a login has failed; until the server gives it up, this program couldn't end, nor a database be dropped.
        void this.end();
        return named(error, place);
      };
      if (connected === undefined) {
        return super.connect().catch((error: unknown) => {
          throw fail(error);
        });
      }
      super.connect((error: Error | null) => connected(error === null ? null : fail(error)));
    }
  };
}

function named(error: unknown, place: string): Error {
  if (isConnectionTrouble(error)) {
    return new ServiceUnreachable({
      message: `the database at ${place} does not answer: ${messageOf(error) || codeOf(error)}`,
      hint: "Check that it runs and that its address in casparian.toml ([database] url) is right",
      cause: error,
    });
  }
  return new TerminalFailure({
    code: "DATABASE_REFUSED",
    message: `the database at ${place} refuses the connection: ${messageOf(error)}`,
    hint: "Check user, password and database name in casparian.toml ([database] url)",
    cause: error,
  });
}

function placeOf(url: string): string {
  const config = new Client({ connectionString: url });
  return `${config.host}:${config.port}`;
}
