import { Client } from "pg";
import { emptyDatabase } from "../support/database.ts";
import type { Found, TargetKind } from "./conformance.ts";

export interface PostgresKind extends TargetKind {
  /** Of the database, with the password. */
  readonly url: string;
  /** As an independent reader; rows are arrays of texts or null. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

/** A database of its own; sinks get its password from the environment, also in processes that the tests start. */
export async function openPostgresKind(): Promise<PostgresKind> {
  const { url, close } = await emptyDatabase();
  const address = new URL(url);
  process.env["PGPASSWORD"] = decodeURIComponent(address.password);
  address.password = "";
  const reader = new Client({ connectionString: url, types: { getTypeParser: () => (text: string | Buffer) => String(text) } });
  await reader.connect();
  const query: PostgresKind["query"] = async (sql) => (await reader.query<(string | null)[]>({ text: sql, rowMode: "array" })).rows;
  let targets = 0;
  return {
    url,
    query,
    baseDir: "/nowhere",
    newUri: () => `${address.href}?table=public.target_${++targets}`,
    async read(uri) {
      const table = new URL(uri).searchParams.get("table")!;
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
      await reader.end();
      await close();
    },
  };
}
