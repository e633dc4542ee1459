import type { Column } from "./column.ts";
import { isValid } from "./column.ts";
import { runsOf, takeRows } from "./filter.ts";
import { bytesReader, integersOf, rangeReader, wholeNumbers } from "./scalar.ts";

/**
 * The same values without what no row points to: the bytes behind views, the values behind lists by offset and size, and those of
 * dictionaries, all of which `takeRows` leaves as they are. Dictionaries with these ids stay whole, because other columns use them, too.
 * Source: Arrow columnar format, "Physical memory layout".
 */
export function compactColumn(column: Column, sharedDictionaries: ReadonlySet<number>): Column {
  const { field } = column;
  const compact = (child: Column): Column => compactColumn(child, sharedDictionaries);
  if (field.dictionary !== undefined)
    return sharedDictionaries.has(field.dictionary.id) ? column : compactDictionary(column, field.dictionary.index.bits, compact);
  switch (field.type.kind) {
    case "string_view":
    case "binary_view":
      return compactViews(column);
    case "list_view":
    case "large_list_view":
      return compactListViews(column, compact);
    default:
      return column.children.length === 0 ? column : { ...column, children: column.children.map(compact) };
  }
}

/** The rows of a column that are pointed to, and where each of them lies among those. */
function createUsed(length: number) {
  const marks = new Uint8Array(length);
  return {
    mark(from: number, to: number): void {
      marks.fill(1, from, to);
    },
    places(): Int32Array {
      const places = new Int32Array(length);
      let next = 0;
      for (let row = 0; row < length; row += 1) {
        places[row] = next;
        next += marks[row]!;
      }
      return places;
    },
    take: (from: number, values: Column): Column => takeRows(values, runsOf(marks.subarray(from, from + values.length), true)),
  };
}

function compactDictionary(column: Column, bits: number, compact: (values: Column) => Column): Column {
  const pieces = column.dictionary ?? [];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const given = integersOf(column);
  const used = createUsed(length);
  for (let row = 0; row < column.length; row += 1) {
    if (!isValid(column, row)) continue;
    const place = Number(given[row]);
    if (place < 0 || place >= length) throw new RangeError(`column "${column.field.name}" points outside of its dictionary`);
    used.mark(place, place + 1);
  }
  const places = used.places();
  const indices = wholeNumbers(new Uint8Array((column.length * bits) / 8), bits, column.field.dictionary!.index.signed);
  for (let row = 0; row < column.length; row += 1) {
    const place = isValid(column, row) ? places[Number(given[row])]! : 0;
    indices[row] = indices instanceof BigInt64Array || indices instanceof BigUint64Array ? BigInt(place) : place;
  }
  let from = 0;
  const taken = pieces.map((piece) => {
    const values = used.take(from, piece);
    from += piece.length;
    return compact(values);
  });
  // One without values is still a dictionary, which readers ask for.
  const dictionary = taken.filter((piece, index) => piece.length > 0 || index === 0);
  return { ...column, buffers: [bytesOf(indices)], dictionary };
}

const viewBytes = 16;
const inlineBytesMax = 12;

/** All longer values in one buffer, in the order of the rows. */
function compactViews(column: Column): Column {
  const value = bytesReader(column);
  const [given] = column.buffers as [Uint8Array];
  const views = new Uint8Array(viewBytes * column.length);
  const numbers = new DataView(views.buffer);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let row = 0; row < column.length; row += 1) {
    if (!isValid(column, row)) continue;
    const at = viewBytes * row;
    views.set(given.subarray(at, at + viewBytes), at);
    const piece = value(row);
    if (piece.length <= inlineBytesMax) continue;
    numbers.setInt32(at + 8, 0, true);
    numbers.setInt32(at + 12, bytes, true);
    pieces.push(piece);
    bytes += piece.length;
  }
  return { ...column, buffers: bytes === 0 ? [views] : [views, Buffer.concat(pieces)] };
}

function compactListViews(column: Column, compact: (child: Column) => Column): Column {
  const [child] = column.children as [Column];
  const range = rangeReader(column);
  const bits = column.field.type.kind === "large_list_view" ? 64 : 32;
  const used = createUsed(child.length);
  for (let row = 0; row < column.length; row += 1) if (isValid(column, row)) used.mark(...range(row));
  const places = used.places();
  const [offsets, sizes] = [0, 1].map(() => wholeNumbers(new Uint8Array((column.length * bits) / 8), bits, true)) as [Numbers, Numbers];
  for (let row = 0; row < column.length; row += 1) {
    if (!isValid(column, row)) continue;
    const [from, to] = range(row);
    const place = to > from ? places[from]! : 0;
    offsets[row] = bits === 64 ? BigInt(place) : place;
    sizes[row] = bits === 64 ? BigInt(to - from) : to - from;
  }
  return { ...column, buffers: [bytesOf(offsets), bytesOf(sizes)], children: [compact(used.take(0, child))] };
}

type Numbers = ReturnType<typeof wholeNumbers>;

function bytesOf({ buffer, byteOffset, byteLength }: Numbers): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
