import { isUtf8 } from "node:buffer";
import { isValid, type Column } from "../../arrow/column.ts";
import { booleanAt, bytesReader, dictionaryReader, floatsOf, rangeReader, wholeNumbers } from "../../arrow/scalar.ts";
import { textReader } from "../../arrow/text.ts";
import { ArrayCells, type FixedCells, ListCells, StructCells, TextCells, type Cells } from "./cells.ts";
import { putDate, putInterval, putTime } from "./put-time.ts";
import { putDecimal } from "./put-decimal.ts";
import { ValueRefused } from "./value-refused.ts";

/** Puts the value of a row at a place. */
export type Put = (row: number, at: number) => void;

/** How the values of a column of one batch are put into cells made for its type (`cellsFor`), null where they are null. */
export function putterOf(column: Column, cells: Cells): Put {
  const put = presentPutter(column, cells);
  const { validity } = column;
  if (validity === null) return put;
  return (row, at) => (((validity[row >> 3]! >> (row & 7)) & 1) === 0 ? cells.setNull(at) : put(row, at));
}

function presentPutter(column: Column, cells: Cells): Put {
  const { field } = column;
  if (field.dictionary !== undefined) return throughDictionary(column, cells);
  if (cells instanceof ListCells) return field.type.kind === "map" ? putMap(column, cells) : putList(column, cells);
  if (cells instanceof ArrayCells) return putArray(column, cells);
  if (cells instanceof StructCells) return putStruct(column, cells);
  if (cells instanceof TextCells) return putText(column, cells);
  return putPlain(column, cells as FixedCells);
}

function putPlain(column: Column, cells: FixedCells): Put {
  const { field } = column;
  const { type } = field;
  switch (type.kind) {
    case "bool":
      return (row, at) => {
        cells.bytes[at] = booleanAt(column, row) ? 1 : 0;
      };
    case "float":
      return type.precision === 0 ? putHalf(column, cells) : putWords(column, cells);
    case "decimal":
      return putDecimal(column, cells);
    case "date":
      return putDate(column, cells);
    case "time":
    case "timestamp":
      return putTime(column, cells);
    case "duration":
    case "interval":
      return putInterval(column, cells);
    case "fixed_size_binary":
      return putUuid(column, cells);
    default:
      return cells.width < 4 ? putBytes(column, cells) : putWords(column, cells);
  }
}

/** Numbers of 8 and 16 bits, which lie the same in both. */
function putBytes({ buffers }: Column, cells: FixedCells): Put {
  const [source] = buffers as [Uint8Array];
  const { width } = cells;
  if (width === 1)
    return (row, at) => {
      cells.bytes[at] = source[row]!;
    };
  return (row, at) => {
    cells.bytes[2 * at] = source[2 * row]!;
    cells.bytes[2 * at + 1] = source[2 * row + 1]!;
  };
}

/** Numbers of 32 and 64 bits. */
function putWords({ buffers }: Column, cells: FixedCells): Put {
  const source = wholeNumbers(buffers[0]!, 32, true) as Int32Array;
  if (cells.width === 4)
    return (row, at) => {
      cells.words[at] = source[row]!;
    };
  return (row, at) => {
    cells.words[2 * at] = source[2 * row]!;
    cells.words[2 * at + 1] = source[2 * row + 1]!;
  };
}

/** A half is widened, which is exact. */
function putHalf(column: Column, cells: FixedCells): Put {
  const values = floatsOf(column);
  return (row, at) => cells.view.setFloat32(4 * at, values[row]!, true);
}

/** DuckDB counts UUIDs as signed numbers, so that its order is theirs: with the first bit turned, last byte first. */
function putUuid(column: Column, cells: FixedCells): Put {
  const slice = bytesReader(column);
  return (row, at) => {
    const value = slice(row);
    for (let index = 0; index < 16; index += 1) cells.bytes[16 * at + 15 - index] = value[index]!;
    cells.bytes[16 * at + 15]! ^= 0x80;
  };
}

function putText(column: Column, cells: TextCells): Put {
  const { kind } = column.field.type;
  if (kind === "null") return (_row, at) => cells.setNull(at);
  const slice = bytesReader(column);
  if (!kind.includes("string")) return (row, at) => cells.set(at, slice(row));
  return (row, at) => {
    const value = slice(row);
    // DuckDB takes what it is given, and stumbles when it is read.
    if (!isPlain(value) && !isUtf8(value)) throw new ValueRefused("it is not UTF-8");
    cells.set(at, value);
  };
}

/** Whether a short text has only ASCII in it, which is quicker told here than by a call. */
function isPlain(value: Uint8Array): boolean {
  if (value.length > 32) return false;
  let all = 0;
  for (let index = 0; index < value.length; index += 1) all |= value[index]!;
  return all < 0x80;
}

function putList(column: Column, cells: ListCells): Put {
  const range = rangeReader(column);
  const put = putterOf(column.children[0]!, cells.items);
  return (row, at) => {
    const [from, to] = range(row);
    const first = cells.begin(at, to - from);
    for (let item = from; item < to; item += 1) put(item, first + item - from);
  };
}

function putArray(column: Column, cells: ArrayCells): Put {
  const range = rangeReader(column);
  const put = putterOf(column.children[0]!, cells.items);
  return (row, at) => {
    const [from, to] = range(row);
    for (let item = from; item < to; item += 1) put(item, at * cells.size + item - from);
  };
}

function putStruct({ children }: Column, cells: StructCells): Put {
  const puts = children.map((child, index) => putterOf(child, cells.fields[index]!));
  return (row, at) => {
    for (const put of puts) put(row, at);
  };
}

/** A MAP of DuckDB has each key once, and none that is null. */
function putMap(column: Column, cells: ListCells): Put {
  const range = rangeReader(column);
  const [entries] = column.children as [Column];
  const [keys] = entries.children as [Column, Column];
  const put = putStruct(entries, cells.items as StructCells);
  const textOf = textReader(keys);
  return (row, at) => {
    const [from, to] = range(row);
    const first = cells.begin(at, to - from);
    const seen = to - from > 1 ? new Set<string>() : null;
    for (let entry = from; entry < to; entry += 1) {
      if (!isValid(keys, entry)) throw new ValueRefused("a key of its map is null");
      seen?.add(textOf(entry) ?? "");
      put(entry, first + entry - from);
    }
    if (seen !== null && seen.size < to - from) throw new ValueRefused("its map has a key twice, and a MAP has each once");
  };
}

/** The dictionary's values, wherever they lie in it. */
function throughDictionary(column: Column, cells: Cells): Put {
  const find = dictionaryReader(column);
  const puts = new Map((column.dictionary ?? []).map((values) => [values, presentPutter(values, cells)]));
  return (row, at) => {
    const found = find(row);
    if (found === null) cells.setNull(at);
    else puts.get(found.values)!(found.row, at);
  };
}
