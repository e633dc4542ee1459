import type { ArrowField } from "../../arrow/type.ts";
import { checkDistinct } from "../columns.ts";
import { checkTableColumns, columnsRefused } from "../tables/columns.ts";
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
  checkTableColumns(fields, { server: "SQL Server", columnsMax, refusal });
  checkDistinct(fields);
  return fields.map((field) => ({ name: field.name, type: sqlTypeOf(field), isNull: field.type.kind === "null" }));
}

/** Throws TerminalFailure SINK_COLUMNS where a server to which case means nothing takes two names for one. */
export function refuseSameNames(columns: readonly Pick<TargetColumn, "name">[]): void {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const earlier = seen.get(name.toLowerCase());
    if (earlier !== undefined)
      throw columnsRefused(
        `the columns "${earlier}" and "${name}" have one name by the collation of the database, which takes no notice of case`,
      );
    seen.set(name.toLowerCase(), name);
  }
}

function refusal(name: string): string | null {
  if (name.length <= nameUnitsMax) return null;
  return `the name of the column "${name}" has ${name.length} characters, and SQL Server keeps ${nameUnitsMax}`;
}
