import type { ArrowType } from "../arrow/type.ts";
import type { ColumnChange, ContractColumn } from "../domain/contract.ts";
import { parseType, valuesType } from "./type-name.ts";

type TypedColumn = Pick<ContractColumn, "name" | "type">;

/**
 * How columns that came differ from the contract's, in its order, then what was added. Not a difference: the order; whether a column may be
 * null, which is a matter of its values; how values are encoded (with a dictionary, with longer offsets, as views); and a column of type
 * null, which has no value that could be of another type.
 */
export function compareColumns(contract: readonly TypedColumn[], given: readonly TypedColumn[]): readonly ColumnChange[] {
  const found = new Map(given.map((column) => [column.name, column.type]));
  const known = new Set(contract.map(({ name }) => name));
  const changes = contract.flatMap(({ name, type }): readonly ColumnChange[] => {
    const to = found.get(name);
    if (to === undefined) return [{ kind: "removed", column: name, from: type, to: null }];
    if (to === "null" || haveSameValues(type, to)) return [];
    return [{ kind: isWidening(type, to) ? "widened" : "narrowed", column: name, from: type, to }];
  });
  const added = given.filter(({ name }) => !known.has(name));
  return [...changes, ...added.map(({ name, type }): ColumnChange => ({ kind: "added", column: name, from: null, to: type }))];
}

/** The contract's columns after widening: wider types, and what was added, which older rows don't have. */
export function widenedColumns(contract: readonly ContractColumn[], changes: readonly ColumnChange[]): readonly ContractColumn[] {
  const wider = new Map(changes.filter(({ kind }) => kind === "widened").map(({ column, to }) => [column, to!]));
  const added = changes.filter(({ kind }) => kind === "added");
  return [
    ...contract.map((column) => ({ ...column, type: wider.get(column.name) ?? column.type })),
    ...added.map(({ column, to }) => ({ name: column, type: to!, nullable: true })),
  ];
}

/** Whether two types differ in how values are stored and not in which values there are. */
export function haveSameValues(contract: string, given: string): boolean {
  const [left, right] = [valuesType(contract), valuesType(given)];
  return left === right || families.some((family) => family.has(left) && family.has(right));
}

const families = [new Set(["string", "large_string", "string_view"]), new Set(["binary", "large_binary", "binary_view"])];

/**
 * Whether every value of one type is exactly a value of the other: longer integers; unsigned to longer signed; integers to floating-point
 * numbers that hold all of them (32 bits to `double`); longer floating-point numbers; decimals with no fewer digits on either side of
 * the point; integers to decimals with room for them; times of a finer unit. Not timestamps and durations, whose range shrinks with
 * the unit, nor anything to text.
 */
export function isWidening(from: string, to: string): boolean {
  const [a, b] = [parseType(valuesType(from)), parseType(valuesType(to))];
  if (a === null || b === null) return false;
  if (a.kind === "null") return true;
  if (a.kind === "int") return widensInteger(a, b);
  if (a.kind === "float") return b.kind === "float" && b.precision > a.precision;
  if (a.kind === "decimal") return b.kind === "decimal" && b.scale >= a.scale && b.precision - b.scale >= a.precision - a.scale;
  return a.kind === "time" && b.kind === "time" && b.unit > a.unit;
}

function widensInteger({ bits, signed }: ArrowType & { readonly kind: "int" }, to: ArrowType): boolean {
  const valueBits = signed ? bits - 1 : bits;
  if (to.kind === "int") return signed === to.signed ? to.bits > bits : to.signed && to.bits > bits;
  if (to.kind === "float") return valueBits <= [11, 24, 53][to.precision]!;
  return to.kind === "decimal" && to.precision - to.scale >= String(2n ** BigInt(valueBits)).length;
}
