import { createHash } from "node:crypto";
import type { Column } from "../arrow/column.ts";
import { bytesReader, integersOf } from "../arrow/scalar.ts";
import { textReader } from "../arrow/text.ts";
import { TerminalFailure } from "../domain/failure.ts";

/** 16 bytes each, in a table at most half full: 512 MB. */
const valuesMax = 2 ** 24;
const slotsMin = 2 ** 12;

/**
 * Which values have been there before. Numbers of up to 64 bits are kept as they are, anything else as 128 bits of its hash, so memory
 * is the same for values of any length.
 */
export interface Distinct {
  /** Adds the value of a row; false where it was there. Throws TerminalFailure CONTRACT_UNIQUE_LIMIT. */
  reader(column: Column): (row: number) => boolean;
}

export function createDistinct(name: string): Distinct {
  let table = new Int32Array(4 * slotsMin);
  let values = 0;

  function add(a: number, b: number, c: number, d: number): boolean {
    if (!insert(table, a, b, c, d)) return false;
    values += 1;
    if (values > valuesMax) throw tooMany(name);
    if (values * 8 > table.length) {
      const old = table;
      table = new Int32Array(2 * old.length);
      for (let at = 0; at < old.length; at += 4) if (old[at + 3] !== 0) insert(table, old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!);
    }
    return true;
  }

  return {
    reader(column) {
      const { type, dictionary } = column.field;
      if (dictionary === undefined && ["int", "date", "time", "timestamp", "duration"].includes(type.kind)) {
        const numbers = integersOf(column);
        if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
          const words = new Int32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length);
          return (row) => add(words[2 * row]!, words[2 * row + 1]!, 0, 1);
        }
        return (row) => add(numbers[row]!, 0, 0, 1);
      }
      const bytes = dictionary === undefined && type.kind.includes("string") ? bytesReader(column) : bytesOfText(column);
      return (row) => {
        const value = bytes(row);
        // Short ones as they are, with their length: up to 8 bytes.
        if (value.length <= 8) return add(word(value, 0), word(value, 4), value.length, 1);
        const hash = createHash("sha256").update(value).digest();
        return add(hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8), hash.readInt32LE(12) | 2);
      };
    },
  };
}

function bytesOfText(column: Column): (row: number) => Uint8Array {
  const text = textReader(column);
  return (row) => Buffer.from(text(row) ?? "");
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

/** The last word is never 0, which is how a free slot is told. */
function insert(table: Int32Array, a: number, b: number, c: number, d: number): boolean {
  const mask = table.length / 4 - 1;
  // Numbers that lie close to each other lie close here too, 64 to a block, because memory that is near is much faster.
  let slot = ((Math.imul((a >>> 6) ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0xc2b2ae35), 0x85ebca6b) >>> 1) & ~63 & mask) | (a & 63);
  for (;;) {
    const at = 4 * slot;
    if (table[at + 3] === 0) {
      table[at] = a;
      table[at + 1] = b;
      table[at + 2] = c;
      table[at + 3] = d;
      return true;
    }
    if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) return false;
    slot = (slot + 1) & mask;
  }
}

function tooMany(name: string): TerminalFailure {
  return new TerminalFailure({
    code: "CONTRACT_UNIQUE_LIMIT",
    message: `column ${name} has more than ${valuesMax} different values in one file, so that they are unique can't be checked`,
    hint: `Take the check away: casparian contract set PLUGIN OUTPUT --column ${name} --no-unique`,
  });
}
