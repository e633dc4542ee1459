import type { ArrowField } from "../../arrow/type.ts";
import { checkNames } from "../columns.ts";
import { checkTableColumns } from "../tables/columns.ts";
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
  checkTableColumns(fields, { server: "Postgres", columnsMax, refusal });
  return fields.map((field) => ({
    name: field.name,
    type: sqlTypeOf(field).name,
    comment: commentOf(field),
    isNull: field.type.kind === "null",
  }));
}

function refusal(name: string): string | null {
  if (systemColumns.includes(name)) return `a column can't be named "${name}": every table of Postgres has one of its own`;
  const bytes = Buffer.byteLength(name);
  return bytes > nameBytesMax ? `the name of the column "${name}" has ${bytes} bytes, and Postgres keeps ${nameBytesMax}` : null;
}
