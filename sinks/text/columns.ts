import type { ArrowSchema } from "../../arrow/schema.ts";
import { typeName, type ArrowField } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { checkNames } from "../columns.ts";

/** Throws TerminalFailure SINK_COLUMNS and SINK_TYPE, which name the column, for what a text file can't hold exactly. */
export function checkColumns({ fields }: ArrowSchema): void {
  checkNames(fields, "a text file");
  for (const field of fields) checkField(field, field.name);
}

function checkField(field: ArrowField, path: string): void {
  const { type, children } = field;
  if (["interval", "union", "run_end_encoded"].includes(type.kind))
    throw new TerminalFailure({
      code: "SINK_TYPE",
      message: `column "${path}" is of type ${typeName(field)}, whose values have no text here`,
      hint: "Cast the column to another type in the plugin",
      data: { column: path, type: typeName(field) },
    });
  const names = children.map(({ name }) => name);
  const twice = type.kind === "struct" ? names.find((name, index) => names.indexOf(name) !== index) : undefined;
  if (twice !== undefined)
    throw new TerminalFailure({
      code: "SINK_COLUMNS",
      message: `two fields of column "${path}" are named "${twice}", which one JSON object can't hold`,
      hint: "Rename one in the plugin",
      data: { column: path },
    });
  for (const child of children) checkField(child, `${path}.${child.name}`);
}
