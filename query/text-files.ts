import { arrowValue } from "./arrow-value.ts";
import { folded, identifier, literal } from "./identifier.ts";

/** A column of files of text, with the SQL that makes its values of a text. */
export interface TextColumn {
  readonly name: string;
  readonly value: (text: string) => string;
}

/** A column as the record has it. */
export function textColumn({ name, type }: { readonly name: string; readonly type: string }): TextColumn {
  return { name, value: (text) => arrowValue(type, text) };
}

/** The longest row that can be read, bytes; DuckDB keeps several buffers of this size. */
export const rowBytesMax = 64 * 1024 ** 2;

/** DuckDB takes rows of 2 MB and of 16 MB unless told otherwise; no row is longer than its file. */
function rowRoom(fileBytesMax: number, usual: number): number {
  return Math.max(usual, Math.min(fileBytesMax, rowBytesMax));
}

/**
 * The rows of CSV files as our sink writes them, with nothing guessed: nothing between commas is null, `""` the empty string. `files` is SQL
 * for a list of paths, `fileBytesMax` the size of the largest.
 */
export function csvRows(files: string, columns: readonly TextColumn[], fileBytesMax: number): string {
  const names = columns.map((_, at) => `c${at}: 'VARCHAR'`).join(", ");
  const room = rowRoom(fileBytesMax, 2_000_000);
  return select(
    columns,
    `read_csv(${files}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '',
      allow_quoted_nulls = false, strict_mode = true, hive_partitioning = false, max_line_size = ${room}, columns = {${names}})`,
    columns.map((_, at) => `c${at}`),
  );
}

/** The same of JSON Lines. */
export function jsonLinesRows(files: string, columns: readonly TextColumn[], fileBytesMax: number): string {
  const room = rowRoom(fileBytesMax, 16 * 1024 ** 2);
  const names = columns.map(({ name }) => name);
  const apart = new Set(names.map(folded)).size === names.length && !names.includes("");
  if (!apart) {
    // DuckDB's own reader takes names that differ only by case for one; this way each line is read once for each column.
    const lines = `read_ndjson_objects(${files}, maximum_object_size = ${room}, hive_partitioning = false)`;
    const texts = names.map((name) => `(json ->> ${literal(`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`)})`);
    return select(columns, lines, texts);
  }
  const types = names.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
  const lines = `read_json(${files}, format = 'newline_delimited', maximum_object_size = ${room}, hive_partitioning = false, columns = {${types}})`;
  return select(columns, lines, names.map(identifier));
}

function select(columns: readonly TextColumn[], from: string, texts: readonly string[]): string {
  return `(select ${columns.map(({ value }, at) => `${value(texts[at]!)} as c${at}`).join(", ")} from ${from})`;
}
