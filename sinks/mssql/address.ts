import { isConnectionName } from "../../domain/connection.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { splitKeep } from "../tables/keep.ts";
import type { TableName } from "../tables/table-name.ts";
import { decodeName, parseSinkUri } from "../uri.ts";

/** Where an `mssql://` URI leads. */
export interface MssqlAddress {
  /** The name of a connection of the configuration. */
  readonly connection: string;
  readonly table: TableName;
}

/** UTF-16 units. Source: SQL Server, "Database identifiers". */
export const nameUnitsMax = 128;

const forms = "mssql://table, mssql://schema.table or mssql://schema.table?connection=NAME; a dot within a name is %2E";

/**
 * Takes a URI apart: `mssql://trades` is the table `dbo.trades` at the connection named `mssql`, `mssql://books.trades?connection=erp` another
 * one's. Servers and passwords are not part of it, nor whether replaced rows are kept (`splitKeep`). Throws TerminalFailure SINK_URI.
 */
export function mssqlAddress(uri: string): MssqlAddress {
  const { rest } = parseSinkUri(splitKeep(uri).uri);
  const [, path = "", query = ""] = /^([^?]*)(?:\?(.*))?$/s.exec(rest) ?? [];
  if (/[@/:\\]/.test(path))
    throw misunderstood(uri, "it names a server, which belongs into the configuration: [connections.mssql] in casparian.toml");
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => key !== "connection");
  if (unknown !== undefined) throw misunderstood(uri, `it has an unknown parameter "${unknown}"`);
  const connection = parameters.get("connection") ?? "mssql";
  if (!isConnectionName(connection)) throw misunderstood(uri, `"${connection}" is not the name of a connection`);
  const names = path.split(".").map((part) => decodeName(part, (why) => misunderstood(uri, why)));
  if (names.length > 2 || names.includes("")) throw misunderstood(uri, `"${path}" is not a table`);
  const long = names.find((name) => name.length > nameUnitsMax);
  if (long !== undefined) throw misunderstood(uri, `the name "${long}" has more than ${nameUnitsMax} characters`);
  const [schema, name] = names.length === 1 ? ["dbo", names[0]!] : (names as [string, string]);
  return { connection, table: { schema, name } };
}

function misunderstood(uri: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_URI",
    message: `${safeUrl(uri)} is not the address of a table in SQL Server: ${why}`,
    hint: `Write ${forms}`,
  });
}
