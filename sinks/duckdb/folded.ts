/** A name as DuckDB compares it: names that differ in nothing but ASCII letter case are the same. */
export function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
