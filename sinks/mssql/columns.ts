import { lineageColumns } from "../../domain/lineage.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import type { ArrowField } from "../../arrow/type.ts";
import { nameUnitsMax } from "./address.ts";
import { sqlTypeOf, type SqlType } from "./sql-type.ts";

/** A column of an output, as it is kept. Plain JSON. */
export interface TargetColumn {
  readonly name: string;
  readonly type: SqlType;
  /** Whether it has no value at all, by Arrow's null type, so that a column of any type takes it. */
  readonly isNull: boolean;
}

/** What SQL Server allows a table. Source: "Maximum capacity specifications". */
const columnsMax = 1024;

/** Types of the lineage columns, in their order. */
export const lineageTypes = ["varchar(64)", "bigint", "bigint", "datetimeoffset(6)", "nvarchar(400)"] as const;

/**
 * Names that differ only by case are left to the server, whose collation decides. Throws TerminalFailure SINK_COLUMNS and SINK_TYPE that name
 * the column.
 */
export function targetColumns(fields: readonly ArrowField[]): readonly TargetColumn[] {
  checkNames(fields);
  return fields.map((field) => ({ name: field.name, type: sqlTypeOf(field), isNull: field.type.kind === "null" }));
}

/** Throws TerminalFailure SINK_COLUMNS where a server to which case means nothing takes two names for one. */
export function refuseSameNames(columns: readonly Pick<TargetColumn, "name">[]): void {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const earlier = seen.get(name.toLowerCase());
    if (earlier !== undefined)
      throw refused(`the columns "${earlier}" and "${name}" have one name by the collation of the database, which takes no notice of case`);
    seen.set(name.toLowerCase(), name);
  }
}

function checkNames(fields: readonly ArrowField[]): void {
  const first = fields[columnsMax - lineageColumns.length];
  if (first !== undefined)
    throw refused(
      `the output has ${fields.length} columns and SQL Server ${columnsMax} at most, ${lineageColumns.length} of them for lineage: ` +
        `from "${first.name}" on there is no room`,
      "Yield the columns in several outputs, or those that belong together as a list or a struct",
    );
  const seen = new Set<string>();
  for (const [index, { name }] of fields.entries()) {
    const taken = lineageColumns.find((reserved) => reserved === name.toLowerCase());
    if (taken !== undefined)
      throw refused(
        `the plugin's column "${name}" has the name of a lineage column`,
        `Rename or drop it in the plugin: ${taken} is added to every row`,
      );
    if (name === "") throw refused(`column ${index + 1} has an empty name`);
    if (name.includes("\0")) throw refused(`the name of column ${index + 1}, "${name.replaceAll("\0", "\\0")}", has a zero byte in it`);
    if (name.length > nameUnitsMax)
      throw refused(`the name of the column "${name}" has ${name.length} characters, and SQL Server keeps ${nameUnitsMax}`);
    if (seen.has(name)) throw refused(`two columns of the output are named "${name}"`);
    seen.add(name);
  }
}

function refused(message: string, hint = "Rename it in the plugin"): TerminalFailure {
  return new TerminalFailure({ code: "SINK_COLUMNS", message, hint });
}
