import { Client } from "pg";
import type { Found } from "./conformance.ts";

/** An independent reader of the database that holds a sink's tables. */
export interface TableReader {
  /** Rows are arrays of texts or null. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
  /** What a table holds, `schema.name`. */
  read(table: string): Promise<Found>;
  /** What is staged in the database. */
  traces(): Promise<readonly string[]>;
  end(): Promise<void>;
}

export async function openTableReader(url: string): Promise<TableReader> {
  const reader = new Client({ connectionString: url, types: { getTypeParser: () => (text: string | Buffer) => String(text) } });
  await reader.connect();
  const query: TableReader["query"] = async (sql) => (await reader.query<(string | null)[]>({ text: sql, rowMode: "array" })).rows;
  return {
    query,
    async read(table) {
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
    end: () => reader.end(),
  };
}
