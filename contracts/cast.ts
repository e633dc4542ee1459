import { isValid, widthOf, type Column } from "../arrow/column.ts";
import { floatsOf, integersOf, wholeNumbers, type WholeNumbers } from "../arrow/scalar.ts";
import { textReader } from "../arrow/text.ts";
import { typeName, type ArrowField, type ArrowType } from "../arrow/type.ts";
import { valueParser, type ValueParser } from "./parse-value.ts";

/** Takes note of a row whose value doesn't fit; `isRepeated` where it does, but for having been there before. */
export type Refuse = (row: number, reason: string, isRepeated?: boolean) => void;

/** Makes a column of another type, with buffers of its own; a value that doesn't fit exactly is null there and refused. */
export type Cast = (column: Column, refuse: Refuse) => Column;

/**
 * How values of one type become values of another, each exactly or not at all; null where these types have nothing in common. Integers
 * and decimals become each other through integers, never through floating point, and a floating-point number does not become a decimal.
 * Texts become numbers, dates and times as `valueParser` reads them; every plain value but bytes becomes its text.
 */
export function castOf(from: ArrowField, to: ArrowField): Cast | null {
  if (to.dictionary !== undefined || to.children.length > 0) return null;
  if (from.type.kind === "null") return (column) => nullColumn(to, column.length);
  if (from.children.length > 0) return null;
  const isNumber = from.dictionary === undefined && (from.type.kind === "int" || from.type.kind === "float");
  if (isNumber && (to.type.kind === "int" || to.type.kind === "float")) return numberCast(from, to);
  if (textKinds.has(to.type.kind)) return wordless.has(from.type.kind) ? null : textCast(to);
  if (!convertible(from.type.kind, to.type.kind)) return null;
  // Texts say for each value whether it has a zone; these say it for all.
  if ((from.type.kind === "timestamp" || from.type.kind === "date") && hasZone(from.type) !== hasZone(to.type)) return null;
  const parser = valueParser(to.type);
  return parser && parsedCast(to, parser);
}

/** A column of so many nulls. */
export function nullColumn(field: ArrowField, rows: number): Column {
  const width = textKinds.has(field.type.kind) || field.type.kind.includes("binary") ? 0 : widthOf(field);
  const validity = new Uint8Array(Math.ceil(rows / 8));
  const empty = { field, length: rows, validity, children: [], dictionary: null };
  if (field.type.kind === "fixed_size_binary" || width > 0)
    return { ...empty, buffers: [new Uint8Array(Math.ceil(rows * widthOf(field)))] };
  if (field.type.kind.endsWith("_view")) return { ...empty, buffers: [new Uint8Array(16 * rows)] };
  return { ...empty, buffers: [new Uint8Array((rows + 1) * widthOf(field)), new Uint8Array(0)] };
}

const textKinds: ReadonlySet<string> = new Set(["string", "large_string", "string_view"]);
/** Bytes are not their hex digits; the others have no text at all. */
const wordless: ReadonlySet<string> = new Set(
  "binary large_binary binary_view fixed_size_binary interval union run_end_encoded".split(" "),
);

/** Which kinds reach which by their exact text. */
function convertible(from: ArrowType["kind"], to: ArrowType["kind"]): boolean {
  if (textKinds.has(from)) return true;
  if (to === "int" || to === "decimal") return from === "int" || from === "decimal";
  if (to === "timestamp" || to === "date") return from === "timestamp" || from === "date";
  return from === to;
}

function hasZone(type: ArrowType): boolean {
  return type.kind === "timestamp" && type.zone !== undefined;
}

/** Between integers and floating-point numbers, by comparing what came out with what went in. */
function numberCast(from: ArrowField, to: ArrowField): Cast {
  const name = typeName(to);
  return (column, refuse) => {
    const given = from.type.kind === "int" ? integersOf(column) : floatsOf(column);
    const out = emptyNumbers(to.type, column.length);
    const built = createValidity(column);
    for (let row = 0; row < column.length; row += 1) {
      const value = given[row]!;
      const stored = convertNumber(value, out);
      if (stored !== null) out[row] = stored;
      if ((stored === null || !isSame(out[row]!, value)) && isValid(column, row)) {
        built.clear(row);
        refuse(row, `${value} is not exactly a value of type ${name}`);
      }
    }
    return { ...built.column(to), buffers: [new Uint8Array(out.buffer, out.byteOffset, out.byteLength)] };
  };
}

type Numbers = WholeNumbers | Float16Array | Float32Array | Float64Array;

function emptyNumbers(type: ArrowType, rows: number): Numbers {
  if (type.kind === "float") return new floatArrays[type.precision as 0 | 1 | 2](rows);
  const bits = type.kind === "int" ? type.bits : 64;
  return wholeNumbers(new Uint8Array((rows * bits) / 8), bits, type.kind !== "int" || type.signed);
}

const floatArrays = [Float16Array, Float32Array, Float64Array] as const;

function convertNumber(value: number | bigint, out: Numbers): never | null {
  const isLong = out instanceof BigInt64Array || out instanceof BigUint64Array;
  if (typeof value === "bigint") return (isLong ? value : Number(value)) as never;
  if (!isLong) return value as never;
  return (Number.isInteger(value) ? BigInt(value) : null) as never;
}

/** Compares a number with what was stored of it: of different kinds by value, so nothing is lost on the way. */
function isSame(stored: number | bigint, given: number | bigint): boolean {
  // eslint-disable-next-line eqeqeq -- a BigInt and a number are equal where their values are, exactly
  return stored == given || (Number.isNaN(stored) && Number.isNaN(given));
}

function parsedCast(to: ArrowField, parse: ValueParser): Cast {
  return (column, refuse) => {
    const text = textReader(column);
    const built = createValidity(column);
    const { store, buffer } = createStore(to, column.length);
    for (let row = 0; row < column.length; row += 1) {
      const given = text(row);
      if (given === null) {
        built.clear(row);
        continue;
      }
      const value = parse(given);
      if (typeof value === "object") {
        built.clear(row);
        refuse(row, `${quoted(given)} ${value.not}`);
      } else store(row, value);
    }
    return { ...built.column(to), buffers: [buffer] };
  };
}

/** A value as a reason shows it, not too long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

interface Store {
  readonly store: (row: number, value: bigint | number | boolean) => void;
  readonly buffer: Uint8Array;
}

function createStore(field: ArrowField, rows: number): Store {
  const { type } = field;
  const buffer = new Uint8Array(Math.ceil(rows * widthOf(field)));
  if (type.kind === "bool") return { buffer, store: (row, value) => void (value === true && (buffer[row >> 3]! |= 1 << (row & 7))) };
  if (type.kind === "float") {
    const numbers = new floatArrays[type.precision as 0 | 1 | 2](buffer.buffer);
    return { buffer, store: (row, value) => void (numbers[row] = Number(value)) };
  }
  const bytes = widthOf(field);
  if (bytes > 8) {
    const words = new BigInt64Array(buffer.buffer);
    const each = bytes / 8;
    return {
      buffer,
      store(row, value) {
        for (let word = 0; word < each; word += 1) words[row * each + word] = BigInt.asIntN(64, (value as bigint) >> BigInt(64 * word));
      },
    };
  }
  const numbers = wholeNumbers(buffer, bytes * 8, type.kind !== "int" || type.signed);
  const isLong = bytes === 8;
  return { buffer, store: (row, value) => void (numbers[row] = (isLong ? value : Number(value)) as never) };
}

function textCast(to: ArrowField): Cast {
  return (column) => {
    const text = textReader(column);
    const built = createValidity(column);
    const pieces: Buffer[] = [];
    const ends = new Float64Array(column.length + 1);
    for (let row = 0; row < column.length; row += 1) {
      const given = text(row);
      if (given === null) built.clear(row);
      const piece = Buffer.from(given ?? "");
      pieces.push(piece);
      ends[row + 1] = ends[row]! + piece.length;
    }
    return { ...built.column(to), buffers: textBuffers(to.type, pieces, ends) };
  };
}

function textBuffers(type: ArrowType, pieces: readonly Buffer[], ends: Float64Array): readonly Uint8Array[] {
  const data = new Uint8Array(Buffer.concat(pieces));
  if (type.kind === "string") return [bytesOf(Int32Array.from(ends)), data];
  if (type.kind === "large_string") return [bytesOf(BigInt64Array.from(ends, (end) => BigInt(end))), data];
  const views = new Uint8Array(16 * pieces.length);
  const numbers = new DataView(views.buffer);
  for (const [row, piece] of pieces.entries()) {
    numbers.setInt32(16 * row, piece.length, true);
    views.set(piece.subarray(0, piece.length <= 12 ? 12 : 4), 16 * row + 4);
    if (piece.length > 12) numbers.setInt32(16 * row + 12, ends[row]!, true);
  }
  return [views, data];
}

function bytesOf(numbers: Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(numbers.buffer);
}

/** The nulls of a column, and those that are added. */
function createValidity(column: Column): { clear(row: number): void; column(field: ArrowField): Column } {
  const { length } = column;
  let validity = column.validity && column.validity.slice(0, Math.ceil(length / 8));
  return {
    clear(row) {
      validity ??= new Uint8Array(Math.ceil(length / 8)).fill(0xff);
      validity[row >> 3]! &= ~(1 << (row & 7));
    },
    column: (field) => ({ field, length, validity, buffers: [], children: [], dictionary: null }),
  };
}
