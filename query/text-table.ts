import type { Engine } from "./engine.ts";
import { identifier } from "./identifier.ts";

/** Makes a table of texts and fills it, page by page; null stays null. Returns the count of its rows. */
export async function loadTexts(
  { connection }: Engine,
  table: string,
  columns: readonly string[],
  pages: AsyncIterable<readonly (readonly (string | null)[])[]>,
): Promise<number> {
  await connection.run(`create temp table ${identifier(table)} (${columns.map((column) => `${identifier(column)} varchar`).join(", ")})`);
  const appender = await connection.createAppender(table, null, "temp");
  let rows = 0;
  for await (const page of pages) {
    for (const row of page) {
      for (const text of row) {
        if (text === null) appender.appendNull();
        else appender.appendVarchar(text);
      }
      appender.endRow();
    }
    appender.flushSync();
    rows += page.length;
  }
  appender.closeSync();
  return rows;
}
