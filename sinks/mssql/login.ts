import type { ConnectionConfiguration } from "tedious";
import type { Connection } from "../../domain/connection.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { safeUrl } from "../../domain/safe-url.ts";

const form = "mssql://user@host:1433/database?encrypt=true&trustServerCertificate=false";

/**
 * What the driver needs to log in. The connection's url is like `mssql://user@host:1433/database`, with `encrypt` (`true` unless given, `false`,
 * `strict`) and `trustServerCertificate` (`false` unless given). Throws TerminalFailure CONNECTION_URL.
 */
export function loginOf(connection: Connection): ConnectionConfiguration {
  const url = parsed(connection);
  const parameters = new URLSearchParams(url.search);
  const unknown = [...parameters.keys()].find((key) => key !== "encrypt" && key !== "trustServerCertificate");
  if (unknown !== undefined) throw misunderstood(connection, `it has an unknown parameter "${unknown}"`);
  const encrypt = choice(connection, parameters, "encrypt", ["true", "false", "strict"]);
  const trust = choice(connection, parameters, "trustServerCertificate", ["false", "true"]);
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    server: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    authentication: {
      type: "default",
      options: { userName: decodeURIComponent(url.username), password: connection.password ?? undefined },
    },
    options: {
      port: url.port === "" ? 1433 : Number(url.port),
      ...(database === "" ? {} : { database }),
      encrypt: encrypt === "strict" ? "strict" : encrypt === "true",
      trustServerCertificate: trust === "true",
      appName: "casparian sink",
      // An error ends the whole transaction, so nothing is committed without the statement that failed.
      abortTransactionOnError: true,
      // A large commit takes its time, and one that is cut off would only be done again.
      requestTimeout: 0,
      connectTimeout: 15_000,
      useUTC: true,
    },
  };
}

function parsed(connection: Connection): URL {
  const url = URL.canParse(connection.url) ? new URL(connection.url) : null;
  if (url === null || !/^(mssql|sqlserver):$/.test(url.protocol)) throw misunderstood(connection, "it is no URL that begins with mssql://");
  if (url.hostname === "") throw misunderstood(connection, "it names no host");
  if (url.username === "") throw misunderstood(connection, "it names no user");
  if (url.pathname.slice(1).includes("/")) throw misunderstood(connection, "its path is not the name of a database");
  return url;
}

function choice(connection: Connection, parameters: URLSearchParams, name: string, allowed: readonly [string, ...string[]]): string {
  const value = parameters.get(name) ?? allowed[0];
  if (!allowed.includes(value)) throw misunderstood(connection, `${name} is "${value}"; it may be ${allowed.join(", ")}`);
  return value;
}

function misunderstood({ name, url }: Connection, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "CONNECTION_URL",
    message: `the url of connection ${name}, ${safeUrl(url)}, can't be used: ${why}`,
    hint: `Write it like ${form} in [connections.${name}] of casparian.toml, or in CASPARIAN_CONNECTION_${name.toUpperCase()}`,
  });
}
