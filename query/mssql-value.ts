import { arrowValue } from "./arrow-value.ts";

/** SQL that makes values of texts as `sinks/mssql/export.ts` has them written, exactly. `typeName` is the column's in the record. */
export function mssqlValue(typeName: string, text: string): string {
  // Durations are kept as counts of their unit.
  return /^(dictionary<values=)?duration\[/.test(typeName) ? `${text}::bigint` : arrowValue(typeName, text);
}
