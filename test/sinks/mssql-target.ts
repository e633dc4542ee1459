import { Client } from "pg";
import type { Connections } from "../../domain/connection.ts";
import { emptyDatabase } from "../support/database.ts";
import { environmentConnections } from "../support/connections.ts";
import { startSqlServer, type SqlServerStub, type StubOptions } from "../support/sql-server.ts";
import type { Found, TargetKind } from "./conformance.ts";

export interface MssqlKind extends TargetKind {
  readonly connections: Connections;
  readonly server: SqlServerStub;
  /** What the database behind the stub holds, by its own language; rows are arrays of texts or null. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

export const password = "s3cret/with:all@signs";

/** A stub of SQL Server with a database of its own, which the connection `mssql` of the environment leads to. */
export async function openMssqlKind(options: Pick<StubOptions, "discardsRows"> = {}): Promise<MssqlKind> {
  const { url, close } = await emptyDatabase();
  const server = await startSqlServer({ ...options, databaseUrl: url, password });
  process.env["CASPARIAN_CONNECTION_MSSQL"] = connectionUrl(server);
  const reader = new Client({ connectionString: url, types: { getTypeParser: () => (text: string | Buffer) => String(text) } });
  await reader.connect();
  const query: MssqlKind["query"] = async (sql) => (await reader.query<(string | null)[]>({ text: sql, rowMode: "array" })).rows;
  await query("create schema dbo");
  let targets = 0;
  return {
    server,
    query,
    baseDir: "/nowhere",
    connections: environmentConnections,
    newUri: () => `mssql://target_${++targets}`,
    async read(uri) {
      const table = `dbo.${uri.replace("mssql://", "")}`;
      const [[there] = []] = await query(`select to_regclass('${table}')`);
      const none: Found = { rows: 0, sum: 0, jobs: [] };
      if (there === null) return none;
      const [row] = await query(
        `select count(*), coalesce(sum(n), 0), array_to_string(array(select distinct _cf_job_id::text from ${table} order by 1), ' ') from ${table}`,
      );
      const [rows, sum, jobs] = row as [string, string, string];
      return rows === "0" ? none : { rows: Number(rows), sum: Number(sum), jobs: jobs.split(" ").toSorted() };
    },
    async traces() {
      const [[there] = []] = await query("select to_regclass('_casparian.staging')");
      if (there === null) return [];
      const found = await query(
        `select relname from pg_class where relnamespace = '_casparian'::regnamespace and relname like 'staged%'
         union select name from _casparian.staging`,
      );
      return found.map(([name]) => name!);
    },
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
