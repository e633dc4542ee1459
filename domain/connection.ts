import { TerminalFailure } from "./failure.ts";
import { closest } from "./suggest.ts";

/** A server that results go to, as the configuration has it. */
export interface Connection {
  readonly name: string;
  /** Without a password. */
  readonly url: string;
  /** Null where none is configured. Never logged, shown or recorded. */
  readonly password: string | null;
}

/** The connections that a process was told of, by the names that sink URIs use. */
export interface Connections {
  readonly names: readonly string[];
  /** Read anew each time, so a changed password file counts. Throws TerminalFailure CONNECTION_UNKNOWN and CONNECTION_SECRET. */
  find(name: string): Connection;
}

/** Whether a text can name a connection; a part of it becomes part of an environment variable's name. */
export function isConnectionName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name);
}

/** For a process that was told of none. */
export const noConnections: Connections = { names: [], find: (name) => unknown(name, []) };

/** Throws TerminalFailure CONNECTION_UNKNOWN. */
export function unknown(name: string, names: readonly string[]): never {
  const meant = closest(name, names);
  throw new TerminalFailure({
    code: "CONNECTION_UNKNOWN",
    message: `no connection is named "${name}"${meant === null ? "" : `, did you mean ${meant}?`}`,
    hint:
      `Write into casparian.toml where the workers run: [connections.${name}] with url = "postgres://user@host:5432/database" and password_env or ` +
      `password_file; or set ${connectionVariable(name)}. ${names.length === 0 ? "No connection is known here" : `Known ones are ${names.join(", ")}`}`,
  });
}

/** The variable of the environment that holds a connection's whole URL. */
export function connectionVariable(name: string): string {
  return `CASPARIAN_CONNECTION_${name.toUpperCase().replaceAll("-", "_")}`;
}
