/** A name as SQL has it, whatever is in it. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The same with quotes only where they are needed, for people. */
export function shownName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/i.test(name) && !keywords.has(name.toLowerCase()) ? name : identifier(name);
}

/** Words that are no names without quotes. Source: duckdb_keywords() of DuckDB 1.5, reserved and type_function. */
const keywords: ReadonlySet<string> = new Set(
  `all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate collation column
  columns concurrently constraint create cross default deferrable desc describe distinct do else end except false fetch for foreign freeze
  from full generated glob group having ilike in initially inner intersect into is isnull join lambda lateral leading left like limit map
  natural not notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify
  references returning right select semi show similar some struct summarize symmetric table tablesample then to trailing true try_cast
  union unique unpack unpivot using variadic verbose when where window with`.split(/\s+/),
);

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Names that differ in nothing but ASCII letter case are the same to DuckDB. */
export function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
