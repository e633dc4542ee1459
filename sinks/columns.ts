import { timeUnits, typeName, type ArrowField, type ArrowType } from "../arrow/type.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { lineageColumns } from "../domain/lineage.ts";

/** Every row has them, so they are never null. */
export const lineageFields: readonly ArrowField[] = [
  lineageField(0, { kind: "string" }),
  lineageField(1, { kind: "int", bits: 64, signed: true }),
  lineageField(2, { kind: "int", bits: 64, signed: true }),
  lineageField(3, { kind: "timestamp", unit: timeUnits.indexOf("us"), zone: "UTC" }),
  lineageField(4, { kind: "string" }),
];

function lineageField(index: 0 | 1 | 2 | 3 | 4, type: ArrowType): ArrowField {
  return { name: lineageColumns[index], nullable: false, type, children: [], metadata: [] };
}

/** Throws TerminalFailure SINK_COLUMNS where there are no columns, or names that no reader of `what` could tell from others. */
export function checkNames(fields: readonly ArrowField[], what: string): void {
  if (fields.length === 0)
    throw new TerminalFailure({
      code: "SINK_COLUMNS",
      message: `the output has no columns, and ${what} can't be without`,
      hint: "Let the plugin yield a table with at least one column",
    });
  checkDistinct(fields);
}

/** Throws TerminalFailure SINK_COLUMNS for names of lineage columns and for one that two columns have. */
export function checkDistinct(fields: readonly ArrowField[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    // Without regard to case, because many readers have none for column names.
    const taken = lineageColumns.find((reserved) => reserved === name.toLowerCase());
    if (taken !== undefined)
      throw new TerminalFailure({
        code: "SINK_COLUMNS",
        message: `the plugin's column "${name}" has the name of a lineage column`,
        hint: `Rename or drop it in the plugin: ${taken} is added to every row`,
      });
    if (seen.has(name))
      throw new TerminalFailure({
        code: "SINK_COLUMNS",
        message: `two columns of the output are named "${name}"`,
        hint: "Rename one in the plugin: no reader could tell them apart",
      });
    seen.add(name);
  }
}

/** A column, or a part of one, whose type `keeper` lacks. */
export function typeRefused(field: ArrowField, path: string, keeper: string, reason: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TYPE",
    message: `column "${path}" is of type ${typeName(field)}, which ${keeper} can't keep: ${reason}`,
    hint: "Cast the column to another type in the plugin",
    data: { column: path, type: typeName(field) },
  });
}
