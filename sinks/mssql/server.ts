import type { ConnectionConfiguration } from "tedious";
import { noConnections, type Connections } from "../../domain/connection.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import type { MssqlAddress } from "./address.ts";
import { loginOf } from "./login.ts";
import { onServer } from "./refusal.ts";
import { openSession, type Session } from "./session.ts";

/** A server that results go to. */
export interface Server {
  /** How it is called in messages: never with a password. */
  readonly place: string;
  /** Runs `work` on a connection of its own, which is closed afterwards. `doing` begins the message of a failure. */
  use<T>(doing: string, work: (session: Session) => Promise<T>): Promise<T>;
  /** The same in one transaction. */
  transaction<T>(doing: string, work: (session: Session) => Promise<T>): Promise<T>;
  /** A connection that stays. */
  connect(): Promise<Session>;
}

/** Throws TerminalFailure CONNECTION_UNKNOWN, CONNECTION_SECRET and CONNECTION_URL. */
export function serverAt({ connection }: MssqlAddress, connections: Connections = noConnections): Server {
  const found = connections.find(connection);
  return serverOf(loginOf(found), `connection ${found.name} (${safeUrl(found.url)})`);
}

function serverOf(login: ConnectionConfiguration, place: string): Server {
  const connect = (): Promise<Session> => openSession(login);
  const use: Server["use"] = (doing, work) =>
    onServer(`${place}: ${doing}`, async () => {
      const session = await connect();
      try {
        return await work(session);
      } finally {
        // What was not committed ends with the connection.
        session.close();
      }
    });
  return {
    place,
    connect,
    use,
    transaction: (doing, work) =>
      use(doing, async (session) => {
        await session.begin();
        const result = await work(session);
        await session.commit();
        return result;
      }),
  };
}
