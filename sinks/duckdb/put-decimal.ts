import type { Column } from "../../arrow/column.ts";
import { decimalAt } from "../../arrow/scalar.ts";
import type { FixedCells } from "./cells.ts";
import { decimalOf } from "./sql-type.ts";
import { ValueRefused } from "./value-refused.ts";

/** Decimals of up to 38 digits, as whole numbers of 2 to 16 bytes. */
export function putDecimal(column: Column, cells: FixedCells): (row: number, at: number) => void {
  const { field } = column;
  const { precision } = decimalOf(field);
  const factor = field.type.kind === "decimal" && field.type.scale < 0 ? 10n ** BigInt(-field.type.scale) : 1n;
  const end = 10n ** BigInt(precision);
  const write = writerOf(cells);
  return (row, at) => {
    const value = decimalAt(column, row) * factor;
    if (value >= end || value <= -end) throw new ValueRefused(`it has more than the ${precision} digits of its type`);
    write(at, value);
  };
}

function writerOf(cells: FixedCells): (at: number, value: bigint) => void {
  switch (cells.width) {
    case 2:
      return (at, value) => cells.view.setInt16(2 * at, Number(value), true);
    case 4:
      return (at, value) => cells.view.setInt32(4 * at, Number(value), true);
    case 8:
      return (at, value) => cells.view.setBigInt64(8 * at, value, true);
    default:
      return (at, value) => {
        cells.view.setBigInt64(16 * at, value, true);
        cells.view.setBigInt64(16 * at + 8, value >> 64n, true);
      };
  }
}
