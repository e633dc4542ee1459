import type { TerminalFailure } from "../../domain/failure.ts";

/** How Hive, Spark, pyarrow and DuckDB write a null into a path. */
export const nullValue = "__HIVE_DEFAULT_PARTITION__";

/** File systems' own limit for a name. */
const segmentBytesMax = 255;

/** Why a text can't be the name of a partition's folder, as the end of a sentence that begins with the column. */
export type Refusal = (why: string) => TerminalFailure;

/**
 * The folder of a value: `venue=XNAS`. What is no letter, digit, `-`, `.`, `_` or `~` is percent-encoded, as pyarrow and DuckDB write it.
 * All readers that were tried give the same text back, an empty one among them, but for two, which they take for null: `NULL`, which
 * DuckDB no longer does with a letter encoded, and Hive's own word, which is refused.
 */
export function segmentOf(column: string, text: string | null, refuse: Refusal): string {
  if (text === nullValue) throw refuse(`is "${nullValue}", which readers of partitioned folders take for null`);
  const segment = `${column}=${text === null ? nullValue : encoded(text)}`;
  const length = Buffer.byteLength(segment);
  if (length > segmentBytesMax)
    throw refuse(`needs a folder name of ${length} bytes, and file systems take ${segmentBytesMax}: "${(text ?? "").slice(0, 40)}…"`);
  return segment;
}

function encoded(text: string): string {
  if (text.length > segmentBytesMax) return text;
  if (/^null$/i.test(text)) return `%${text.charCodeAt(0).toString(16).toUpperCase()}${text.slice(1)}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
