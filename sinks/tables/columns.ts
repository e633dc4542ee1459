import type { ArrowField } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";

/** What a server takes as the columns of a table. */
export interface ColumnLimits {
  /** The server, as it is called in messages. */
  readonly server: string;
  readonly columnsMax: number;
  /** Why a name can't be a column's, as the message of the failure; null where it can. */
  refusal(name: string): string | null;
}

/** Throws TerminalFailure SINK_COLUMNS that names the column. */
export function checkTableColumns(fields: readonly ArrowField[], { server, columnsMax, refusal }: ColumnLimits): void {
  const first = fields[columnsMax - lineageColumns.length];
  if (first !== undefined)
    throw columnsRefused(
      `the output has ${fields.length} columns and ${server} ${columnsMax} at most, ${lineageColumns.length} of them for lineage: ` +
        `from "${first.name}" on there is no room`,
      "Yield the columns in several outputs, or those that belong together as a list or a struct",
    );
  for (const [index, { name }] of fields.entries()) {
    if (name === "") throw columnsRefused(`column ${index + 1} has an empty name`);
    if (name.includes("\0"))
      throw columnsRefused(`the name of column ${index + 1}, "${name.replaceAll("\0", "\\0")}", has a zero byte in it`);
    const reason = refusal(name);
    if (reason !== null) throw columnsRefused(reason);
  }
}

export function columnsRefused(message: string, hint = "Rename it in the plugin"): TerminalFailure {
  return new TerminalFailure({ code: "SINK_COLUMNS", message, hint });
}

/** Throws what `refused` makes of a column, or a part of one, that can't be kept as JSON. */
export function checkInJson(field: ArrowField, path: string, refused: (field: ArrowField, path: string, reason: string) => Error): void {
  const { type, children } = field;
  if (type.kind === "union" || type.kind === "run_end_encoded" || type.kind === "interval")
    throw refused(field, path, "JSON has nothing alike");
  const names = new Set<string>();
  for (const child of children) {
    if (type.kind === "struct" && names.has(child.name)) throw refused(field, path, `two of its fields are named "${child.name}"`);
    names.add(child.name);
    checkInJson(child, `${path}.${child.name}`, refused);
  }
}
