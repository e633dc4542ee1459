import type { ArrowField } from "../../arrow/type.ts";
import { checkNames } from "../columns.ts";
import { checkTableColumns, columnsRefused } from "../tables/columns.ts";
import { folded } from "./folded.ts";
import { commentOf, sqlTypeOf } from "./sql-type.ts";

/** A column of an output, as it is kept. Plain JSON. */
export interface TargetColumn {
  readonly name: string;
  /** As SQL. */
  readonly type: string;
  readonly comment: string | null;
  /** Whether it has no value at all, by Arrow's null type, so that a column of any type takes it. */
  readonly isNull: boolean;
}

/** Types of the lineage columns, in their order. */
export const lineageTypes = ["VARCHAR", "BIGINT", "BIGINT", "TIMESTAMP WITH TIME ZONE", "VARCHAR"] as const;

/** Throws TerminalFailure SINK_COLUMNS and SINK_TYPE that name the column. */
export function targetColumns(fields: readonly ArrowField[]): readonly TargetColumn[] {
  checkNames(fields, "a table");
  checkTableColumns(fields, { server: "DuckDB", columnsMax: Number.POSITIVE_INFINITY, refusal: () => null });
  const names = new Map<string, string>();
  for (const { name } of fields) {
    const other = names.get(folded(name));
    if (other !== undefined)
      throw columnsRefused(`the columns "${other}" and "${name}" differ only by case, and DuckDB can't tell them apart`);
    names.set(folded(name), name);
  }
  return fields.map((field) => ({
    name: field.name,
    type: sqlTypeOf(field),
    comment: commentOf(field),
    isNull: field.type.kind === "null",
  }));
}
