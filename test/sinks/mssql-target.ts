import type { Connections } from "../../domain/connection.ts";
import { emptyDatabase } from "../support/database.ts";
import { environmentConnections } from "../support/connections.ts";
import { startSqlServer, type SqlServerStub, type StubOptions } from "../support/sql-server.ts";
import type { TargetKind } from "./conformance.ts";
import { openTableReader, type TableReader } from "./table-reader.ts";

export interface MssqlKind extends TargetKind {
  readonly connections: Connections;
  readonly server: SqlServerStub;
  /** What the database behind the stub holds, by its own language. */
  readonly query: TableReader["query"];
}

export const password = "s3cret/with:all@signs";

/** A stub of SQL Server with a database of its own, which the connection `mssql` of the environment leads to; tables keep what is replaced, or not. */
export async function openMssqlKind({
  keeps = false,
  ...options
}: Pick<StubOptions, "discardsRows"> & { readonly keeps?: boolean } = {}): Promise<MssqlKind> {
  const { url, close } = await emptyDatabase();
  const server = await startSqlServer({ ...options, databaseUrl: url, password });
  process.env["CASPARIAN_CONNECTION_MSSQL"] = connectionUrl(server);
  const reader = await openTableReader(url);
  await reader.query("create schema dbo");
  let targets = 0;
  return {
    server,
    query: (sql) => reader.query(sql),
    baseDir: "/nowhere",
    connections: environmentConnections,
    newUri: () => `mssql://target_${++targets}${keeps ? "?keep=replaced" : ""}`,
    read: (uri) => reader.read(`dbo.${uri.replace("mssql://", "").replace("?keep=replaced", "")}`),
    traces: () => reader.traces(),
    async close() {
      await server.close();
      await reader.end();
      await close();
    },
  };
}

export function connectionUrl({ port }: SqlServerStub): string {
  return `mssql://sink:${encodeURIComponent(password)}@127.0.0.1:${port}/books?encrypt=false`;
}
