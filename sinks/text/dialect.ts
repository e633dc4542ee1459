import type { Lineage } from "../../domain/lineage.ts";
import { csv } from "./csv.ts";
import { jsonLines } from "./json-lines.ts";
import type { TextBuffer } from "./text-buffer.ts";

/** How rows look in a kind of text file, which is named as its files' suffix. */
export interface Dialect {
  /** What the file begins with, when it has these columns. */
  header(names: readonly string[]): string;
  /** What stands before each of the plugin's columns in a row. */
  before(names: readonly string[]): readonly string[];
  /** What follows the last of them: the lineage columns and the end of the line. */
  rowEnd(lineage: Lineage): string;
  readonly null: string;
  /** Writes a string, given as bytes of UTF-8. */
  putString(out: TextBuffer, bytes: Uint8Array, from: number, to: number): void;
  /** Whether values other than numbers and booleans stand in quotation marks. */
  readonly quotesTexts: boolean;
  /** Whether JSON, as which nested values are written, is a string like others. */
  readonly jsonIsString: boolean;
  /** Whether the end of a file is that of one without rows. */
  endsWithoutRows(end: string): boolean;
  rowCounter(): RowCounter;
}

/** Counts rows in the bytes of a file, which come piece by piece. */
export interface RowCounter {
  add(bytes: Uint8Array): void;
  /** Null where the file ends within a row. */
  rows(): number | null;
}

export const dialects = { csv, jsonl: jsonLines } as const;
export type DialectName = keyof typeof dialects;
