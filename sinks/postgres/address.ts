import { TerminalFailure, WrongUse } from "../../domain/failure.ts";
import { isConnectionName } from "../../domain/connection.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { splitKeep } from "../tables/keep.ts";
import { writeTableName, type TableName } from "../tables/table-name.ts";
import { decodeName, parseSinkUri } from "../uri.ts";

/** Where a `postgres://` URI leads. */
export interface PostgresAddress {
  /** A connection of the configuration, or a URL that pg takes, without a password. */
  readonly server: { readonly connection: string } | { readonly url: string };
  /** Null where the URI names no table: then it is named after the output. */
  readonly table: TableName | null;
}

/** Postgres cuts longer names off without a word. Bytes. */
export const nameBytesMax = 63;

const forms =
  "postgres://CONNECTION/schema.table with a connection of casparian.toml, or postgres://user@host:5432/database?table=schema.table";

/**
 * Takes a URI apart: `postgres://CONNECTION/schema.table` where nothing but a name stands for the server, and otherwise the URL of a database
 * with the table among its parameters. A table without a schema is in `public`; a dot within a name is written `%2E`. Whether replaced rows are kept
 * (`splitKeep`) is no part of it.
 * Throws WrongUse for a URI that holds a password, and TerminalFailure SINK_URI for one that can't be understood.
 */
export function postgresAddress(uri: string): PostgresAddress {
  const { rest } = parseSinkUri(splitKeep(uri).uri);
  refusePassword(uri, rest);
  const [, authority = "", path = "", query] = /^([^/?]*)\/?([^?]*)(?:\?(.*))?$/s.exec(rest) ?? [];
  if (query === undefined && isConnectionName(authority)) return { server: { connection: authority }, table: tableOf(uri, path) };
  const parameters = (query ?? "").split("&").filter((parameter) => parameter !== "");
  const table = parameters.find((parameter) => parameter.startsWith("table="))?.slice("table=".length);
  const others = parameters.filter((parameter) => !parameter.startsWith("table="));
  if (path === "" || path.includes("/")) throw misunderstood(uri, "it names no database");
  const url = `postgres://${authority}/${path}${others.length === 0 ? "" : `?${others.join("&")}`}`;
  if (!URL.canParse(url) && authority !== "") throw misunderstood(uri, "its server is no host and port");
  return { server: { url }, table: tableOf(uri, table ?? "") };
}

/** The URI of the table, which is spelled out, so that two ways to write one target are one target on record. */
export function postgresUri(uri: string, output: string): string {
  const { server, table } = postgresAddress(uri);
  const written = writeTableName(tableFor(table, output));
  if ("connection" in server) return `postgres://${server.connection}/${written}`;
  return `${server.url}${server.url.includes("?") ? "&" : "?"}table=${written}`;
}

/** Throws TerminalFailure SINK_TABLE for an output whose name can't name a table. */
export function tableFor(table: TableName | null, output: string): TableName {
  const found = table ?? { schema: "public", name: output };
  for (const name of [found.schema, found.name]) {
    if (Buffer.byteLength(name) <= nameBytesMax) continue;
    throw new TerminalFailure({
      code: "SINK_TABLE",
      message: `"${name}" has ${Buffer.byteLength(name)} bytes, and Postgres keeps ${nameBytesMax} of a table's name`,
      hint: "Name a shorter table in the topic's URI: postgres://CONNECTION/schema.table",
    });
  }
  return found;
}

function tableOf(uri: string, text: string): TableName | null {
  if (text === "") return null;
  const names = text
    .replace(/\/$/, "")
    .split(".")
    .map((part) => decodeName(part, (why) => misunderstood(uri, why)));
  if (names.length > 2 || names.includes(""))
    throw misunderstood(uri, `"${text}" is not a table: write schema.table, with %2E for a dot within a name`);
  const [schema, name] = names.length === 1 ? ["public", names[0]!] : (names as [string, string]);
  return { schema, name };
}

function refusePassword(uri: string, rest: string): void {
  const hasPassword = /^[^/?@]*:[^/?]*@/.test(rest) || /[?&]password=/i.test(rest) || safeUrl(uri) !== uri;
  if (!hasPassword) return;
  throw new WrongUse(
    `the address ${safeUrl(uri)} holds a password, which would be kept in the record`,
    "Leave it out and set PGPASSWORD or PGPASSFILE for the workers; or give the server a name in casparian.toml, " +
      `[connections.NAME] with url = "postgres://user@host/database" and password_env or password_file, and write postgres://NAME/schema.table`,
  );
}

function misunderstood(uri: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_URI",
    message: `${safeUrl(uri)} is not the address of a table in Postgres: ${why}`,
    hint: `Write ${forms}`,
  });
}
