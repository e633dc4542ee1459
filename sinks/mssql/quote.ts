import type { TableName } from "../tables/table-name.ts";

/** A name as T-SQL takes it, whatever is in it. */
export function quoted(name: string): string {
  return `[${name.replaceAll("]", "]]")}]`;
}

export function quotedTable({ schema, name }: TableName): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

/** A text as T-SQL takes it: nothing but the quote has a meaning within. */
export function literal(text: string): string {
  return `N'${text.replaceAll("'", "''")}'`;
}
