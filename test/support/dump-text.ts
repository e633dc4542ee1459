import type { Database } from "../../db/pool.ts";

/** Every value of every table of the record, as text. */
export async function dumpText(db: Database): Promise<string> {
  const { rows: tables } = await db.query<{ name: string }>("select tablename as name from pg_tables where schemaname = 'public'");
  const texts = await Promise.all(
    tables.map(async ({ name }) =>
      (await db.query<{ text: string }>(`select t::text as text from "${name}" t`)).rows.map(({ text }) => text),
    ),
  );
  return texts.flat().join("\n");
}
