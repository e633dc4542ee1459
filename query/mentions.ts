import type { Engine } from "./engine.ts";
import { folded } from "./identifier.ts";

/** A name in a statement, with the schema where one is given. */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

/** The tables that a statement reads, or null where DuckDB can't say that: then any may be meant. */
export async function tablesIn({ connection }: Engine, sql: string): Promise<readonly TableName[] | null> {
  const reader = await connection.runAndReadAll("select json_serialize_sql($1::varchar)", [sql]);
  const [[serialized]] = reader.getRows() as [[string]];
  const tree = JSON.parse(serialized) as { readonly error: boolean };
  if (tree.error) return null;
  const found: TableName[] = [];
  return collect(tree, found) ? found : null;
}

/** Whether every table has its name in the statement itself; asked what tables there are, all are meant. */
function collect(node: unknown, found: TableName[]): boolean {
  if (Array.isArray(node)) return node.every((child) => collect(child, found));
  if (typeof node !== "object" || node === null) return true;
  const { type, table_name: name, schema_name: schema, query, function: called } = node as Partial<Record<string, unknown>>;
  if (type === "BASE_TABLE") {
    if (typeof schema === "string" && /^(information_schema|pg_catalog)$/i.test(schema)) return false;
    if (typeof name === "string") found.push({ schema: typeof schema === "string" && schema !== "" ? schema : null, name });
  }
  if (type === "SHOW_REF" && (query === null || query === undefined)) return false;
  if (type === "TABLE_FUNCTION" && /^(query|query_table|duckdb_.*|pragma_.*)$/i.test(nameOfFunction(called))) return false;
  return Object.values(node).every((child) => collect(child, found));
}

function nameOfFunction(called: unknown): string {
  const name = typeof called === "object" && called !== null ? (called as { readonly function_name?: unknown }).function_name : undefined;
  return typeof name === "string" ? name : "";
}

/** Whether the text may mean this name, for statements that can't be taken apart. */
export function mayMention(sql: string, name: string): boolean {
  return folded(sql).includes(folded(name)) || /\b(show|information_schema|duckdb_\w+|pragma\w*)\b/i.test(sql);
}
