import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import type { ArrowField } from "../../arrow/type.ts";
import { checkNames } from "../columns.ts";
import { nameBytesMax } from "./address.ts";
import { commentOf, sqlTypeOf } from "./sql-type.ts";

/** A column of an output, as it is kept. Plain JSON. */
export interface TargetColumn {
  readonly name: string;
  /** As Postgres writes it. */
  readonly type: string;
  readonly comment: string | null;
  /** Whether it has no value at all, by Arrow's null type, so that a column of any type takes it. */
  readonly isNull: boolean;
}

/** What Postgres allows a table, whatever is in it. */
const columnsMax = 1600;
/** Names that every table has already. */
const systemColumns = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/** Types of the lineage columns, in their order. */
export const lineageTypes = ["text", "bigint", "bigint", "timestamp with time zone", "text"] as const;

/** Throws TerminalFailure SINK_COLUMNS and SINK_TYPE that name the column. */
export function targetColumns(fields: readonly ArrowField[]): readonly TargetColumn[] {
  checkNames(fields, "a table");
  checkTakenNames(fields);
  return fields.map((field) => ({
    name: field.name,
    type: sqlTypeOf(field).name,
    comment: commentOf(field),
    isNull: field.type.kind === "null",
  }));
}

function checkTakenNames(fields: readonly ArrowField[]): void {
  const first = fields[columnsMax - lineageColumns.length];
  if (first !== undefined)
    throw refused(
      `the output has ${fields.length} columns and Postgres ${columnsMax} at most, ${lineageColumns.length} of them for lineage: ` +
        `from "${first.name}" on there is no room`,
      "Yield the columns in several outputs, or those that belong together as a list or a struct",
    );
  for (const [index, { name }] of fields.entries()) {
    if (systemColumns.includes(name)) throw refused(`a column can't be named "${name}": every table of Postgres has one of its own`);
    if (name === "") throw refused(`column ${index + 1} has an empty name`);
    if (name.includes("\0")) throw refused(`the name of column ${index + 1}, "${name.replaceAll("\0", "\\0")}", has a zero byte in it`);
    if (Buffer.byteLength(name) > nameBytesMax)
      throw refused(`the name of the column "${name}" has ${Buffer.byteLength(name)} bytes, and Postgres keeps ${nameBytesMax}`);
  }
}

function refused(message: string, hint = "Rename it in the plugin"): TerminalFailure {
  return new TerminalFailure({ code: "SINK_COLUMNS", message, hint });
}
