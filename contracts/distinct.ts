import { createHash } from "node:crypto";
import type { Column } from "../arrow/column.ts";
import { isValid } from "../arrow/column.ts";
import { bytesReader, integersOf } from "../arrow/scalar.ts";
import { textReader } from "../arrow/text.ts";
import { TerminalFailure } from "../domain/failure.ts";

/** 16 bytes each, in a table at most half full: 512 MB. */
const entriesMax = 2 ** 24;
const slotsMin = 2 ** 12;

/**
 * Which values of a column have been there before. Whole numbers of up to 64 bits are kept as they are, 32 that lie next to each other in one
 * entry, as ids mostly do. Of other values up to 8 bytes are kept, or else 128 bits of their hash, so memory is the same for any length.
 */
export interface Distinct {
  /** Adds the values of a batch, and tells the rows of those that were there. Throws TerminalFailure CONTRACT_UNIQUE_LIMIT. */
  add(column: Column, found: (row: number) => void): void;
}

export function createDistinct(name: string): Distinct {
  const table = createTable(name);
  return {
    add(column, found) {
      const { type, dictionary } = column.field;
      if (dictionary === undefined && ["int", "date", "time", "timestamp", "duration"].includes(type.kind))
        return addNumbers(table, column, found);
      const bytes = dictionary === undefined && type.kind.includes("string") ? bytesReader(column) : bytesOfText(column);
      for (let row = 0; row < column.length; row += 1) if (isValid(column, row) && !addBytes(table, bytes(row))) found(row);
    },
  };
}

function addNumbers(table: Table, column: Column, found: (row: number) => void): void {
  const { validity, length } = column;
  const numbers = integersOf(column);
  const isLong = numbers instanceof BigInt64Array || numbers instanceof BigUint64Array;
  const words = isLong ? new Int32Array(numbers.buffer, numbers.byteOffset, 2 * length) : Int32Array.from(numbers);
  const step = isLong ? 2 : 1;
  let [key, above, at] = [-1, 0, 0];
  for (let row = 0; row < length; row += 1) {
    if (validity !== null && ((validity[row >> 3]! >> (row & 7)) & 1) === 0) continue;
    const low = words[step * row]!;
    const high = isLong ? words[2 * row + 1]! : 0;
    // The entry of the row before is often that of this one.
    if (low >>> 5 !== key || high !== above) {
      [key, above] = [low >>> 5, high];
      at = table.find(key, above, 0, false);
    }
    const bit = 1 << (low & 31);
    if ((table.words[at + 2]! & bit) !== 0) found(row);
    table.words[at + 2]! |= bit;
  }
}

/** False where the value was there. */
function addBytes(table: Table, value: Uint8Array): boolean {
  const before = table.entries();
  if (value.length <= 8) table.find(word(value, 0), word(value, 4), value.length, true);
  else {
    const hash = createHash("sha256").update(value).digest();
    table.find(hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8), true, hash.readInt32LE(12) | 2);
  }
  return table.entries() > before;
}

function bytesOfText(column: Column): (row: number) => Uint8Array {
  const text = textReader(column);
  return (row) => Buffer.from(text(row) ?? "");
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

/** Entries of four words: three of a key, or two and one that is free to use; the last is never 0, which is how a free entry is told. */
interface Table {
  words: Int32Array;
  entries(): number;
  /** Where the entry of a key begins; it is made where it was not there. */
  find(a: number, b: number, c: number, isKey: boolean, d?: number): number;
}

function createTable(name: string): Table {
  let entries = 0;
  const table: Table = {
    words: new Int32Array(4 * slotsMin),
    entries: () => entries,
    find(a, b, c, isKey, d = 1) {
      let { words } = table;
      if (8 * entries > words.length) words = grow(isKey);
      const at = slotOf(words, a, b, c, isKey, d);
      if (words[at + 3] !== 0) return at;
      entries += 1;
      if (entries > entriesMax) throw tooMany(name);
      words[at] = a;
      words[at + 1] = b;
      words[at + 2] = c;
      words[at + 3] = d;
      return at;
    },
  };

  function grow(isKey: boolean): Int32Array {
    const old = table.words;
    const words = new Int32Array(2 * old.length);
    for (let from = 0; from < old.length; from += 4) {
      if (old[from + 3] === 0) continue;
      const at = slotOf(words, old[from]!, old[from + 1]!, isKey ? old[from + 2]! : 0, isKey, old[from + 3]!);
      for (let each = 0; each < 4; each += 1) words[at + each] = old[from + each]!;
    }
    table.words = words;
    return words;
  }

  return table;
}

function slotOf(words: Int32Array, a: number, b: number, c: number, isKey: boolean, d: number): number {
  const mask = words.length / 4 - 1;
  // The mixing of MurmurHash3, so that keys with a pattern don't end up side by side.
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0xc2b2ae35), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  let slot = (hash ^ (hash >>> 13)) & mask;
  for (;;) {
    const at = 4 * slot;
    if (words[at + 3] === 0) return at;
    if (words[at] === a && words[at + 1] === b && (!isKey || words[at + 2] === c) && words[at + 3] === d) return at;
    slot = (slot + 1) & mask;
  }
}

function tooMany(name: string): TerminalFailure {
  return new TerminalFailure({
    code: "CONTRACT_UNIQUE_LIMIT",
    message: `column ${name} has so many different values in one file (some ${entriesMax}) that they can't be compared with each other`,
    hint: `Take the check away: casparian contract set PLUGIN OUTPUT --column ${name} --no-unique`,
  });
}
