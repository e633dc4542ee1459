import { isUtf8 } from "node:buffer";
import { isValid, type Column } from "../../arrow/column.ts";
import { bytesReader } from "../../arrow/scalar.ts";

/** A value that its column can't keep; whoever writes the row adds where it stands. */
export class ValueRefused extends Error {
  readonly hint: string;

  /** `is` goes on after "row 3 of column "price" is …". */
  constructor(is: string, hint: string) {
    super(is);
    this.name = "ValueRefused";
    this.hint = hint;
  }
}

/** Throws ValueRefused where a text within nested values is not UTF-8. Whole columns are looked at, because this is rare. */
export function refuseInvalidText(column: Column): void {
  for (const child of [...column.children, ...(column.dictionary ?? [])]) refuseInvalidText(child);
  if (column.field.dictionary !== undefined || !/^(large_)?string(_view)?$/.test(column.field.type.kind)) return;
  const bytes = bytesReader(column);
  for (let row = 0; row < column.length; row += 1) {
    if (isValid(column, row) && !isUtf8(bytes(row)))
      throw new ValueRefused("not UTF-8 everywhere", "Decode it in the plugin with its own encoding, or yield the column as binary");
  }
}
