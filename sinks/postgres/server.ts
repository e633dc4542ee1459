import { Pool, type PoolClient } from "pg";
import { withOwnClient } from "../../db/client.ts";
import type { Connections } from "../../domain/connection.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import type { PostgresAddress } from "./address.ts";
import { onServer } from "./refusal.ts";

/** A server that results go to. */
export interface Server {
  /** How it is called in messages: never with a password. */
  readonly place: string;
  /** Runs `work` on a connection of its own, which is closed where the work fails. `doing` begins the message of a failure. */
  use<T>(doing: string, work: (client: PoolClient) => Promise<T>): Promise<T>;
  /** The same in one transaction. */
  transaction<T>(doing: string, work: (client: PoolClient) => Promise<T>): Promise<T>;
}

export interface Servers {
  /** Throws TerminalFailure CONNECTION_UNKNOWN and CONNECTION_SECRET. */
  at(address: PostgresAddress): Server;
  close(): Promise<void>;
}

/** Writers of outputs hold one each while they write, so that a bound could have them wait for each other for ever. */
const connectionsMax = 1000;

/** Opens connections as they are needed, and closes those that are not. */
export function createServers(connections: Connections): Servers {
  const pools = new Map<string, Pool>();
  return {
    at({ server }) {
      const [url, place] = locate(server, connections);
      const pool = pools.get(url) ?? openPool(url);
      pools.set(url, pool);
      return serverOf(pool, place);
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
    },
  };
}

function locate(server: PostgresAddress["server"], connections: Connections): readonly [url: string, place: string] {
  if ("url" in server) return [server.url, safeUrl(server.url)];
  const { name, url, password } = connections.find(server.connection);
  // As a parameter it is taken for every kind of address, sockets too. Only the driver sees it.
  const whole = password === null ? url : `${url}${url.includes("?") ? "&" : "?"}password=${encodeURIComponent(password)}`;
  return [whole, `connection ${name} (${safeUrl(url)})`];
}

function openPool(url: string): Pool {
  const pool = new Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 10_000,
    allowExitOnIdle: true,
    keepAlive: true,
    application_name: "casparian sink",
  });
  // An idle connection that breaks has already left the pool; unheard, the event would end the process.
  pool.on("error", () => {});
  return pool;
}

/** What is committed must survive the server's crash, also where somebody has set otherwise. */
const begin = `begin isolation level read committed;
  select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`;

function serverOf(pool: Pool, place: string): Server {
  const use: Server["use"] = (doing, work) => onServer(`${place}: ${doing}`, () => withOwnClient(pool, work));
  return {
    place,
    use,
    transaction: (doing, work) =>
      use(doing, async (client) => {
        await client.query(begin);
        const result = await work(client);
        await client.query("commit");
        return result;
      }),
  };
}
