import type { Lineage } from "../../domain/lineage.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import { chunkField } from "./footer.ts";
import { binary, bool, encodeStruct, i32, i64, list, struct, wire } from "./thrift.ts";
import type { ThriftValue } from "./thrift.ts";

/**
 * The lineage columns are the same in every row, so they never travel through Arrow: each is one dictionary page with one
 * value and one data page with one run, written by hand, some 150 bytes for any number of rows.
 * Source: apache/parquet-format, parquet.thrift and Encodings.md ("RLE_DICTIONARY").
 */

const physical = { int64: 2, byteArray: 6 } as const;
const encoding = { plain: 0, rle: 3, rleDictionary: 8 } as const;
const pageType = { data: 0, dictionary: 2 } as const;
const required = 0;

/** The elements that the lineage columns add to the file's schema. */
export const lineageElements: readonly ThriftValue[] = [
  element(0, physical.byteArray, [6, i32(0)], [10, struct([1, struct()])]),
  element(1, physical.int64),
  element(2, physical.int64),
  // TIMESTAMP_MICROS, and as a logical type: adjusted to UTC, microseconds.
  element(3, physical.int64, [6, i32(10)], [10, struct([8, struct([1, bool(true)], [2, struct([2, struct()])])])]),
  element(4, physical.byteArray, [6, i32(0)], [10, struct([1, struct()])]),
];

function element(index: 0 | 1 | 2 | 3 | 4, type: number, ...annotations: readonly (readonly [number, ThriftValue])[]): ThriftValue {
  return struct([1, i32(type)], [3, i32(required)], [4, binary(lineageColumns[index])], ...annotations);
}

export interface LineageChunks {
  readonly bytes: Uint8Array;
  /** A ColumnChunk for each column. */
  readonly chunks: readonly ThriftValue[];
}

/** The column chunks of one row group of `rows` rows, to be written at the file's position `at`. */
export function lineageChunks(lineage: Lineage, rows: number, at: number): LineageChunks {
  const parts: Uint8Array[] = [];
  let position = at;
  const chunks = lineageValues(lineage).map(({ type, value }, index) => {
    const dictionary = dictionaryPage(type === physical.byteArray ? withLength(value) : value);
    const data = dataPage(rows);
    parts.push(dictionary, data);
    const start = position;
    position += dictionary.length + data.length;
    return columnChunk({ name: lineageColumns[index] ?? "", type, value, rows, start, dataAt: start + dictionary.length, end: position });
  });
  return { bytes: Buffer.concat(parts), chunks };
}

function lineageValues(lineage: Lineage): readonly { readonly type: number; readonly value: Uint8Array }[] {
  const processedAt = BigInt(lineage.processedAt.getTime()) * 1000n;
  return [
    { type: physical.byteArray, value: Buffer.from(lineage.sourceHash, "utf8") },
    { type: physical.int64, value: int64Bytes(BigInt(lineage.jobId)) },
    { type: physical.int64, value: int64Bytes(BigInt(lineage.fileVersionId)) },
    { type: physical.int64, value: int64Bytes(processedAt) },
    { type: physical.byteArray, value: Buffer.from(lineage.pluginVersion, "utf8") },
  ];
}

function dictionaryPage(plain: Uint8Array): Uint8Array {
  return page(pageType.dictionary, plain, [7, struct([1, i32(1)], [2, i32(encoding.plain)])]);
}

/** One run of index 0, one bit wide; a required column of the top level has no levels. */
function dataPage(rows: number): Uint8Array {
  const run = [1];
  let rest = 2 * rows;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) run.push((rest & 0x7f) | 0x80);
  run.push(rest, 0);
  const header = struct([1, i32(rows)], [2, i32(encoding.rleDictionary)], [3, i32(encoding.rle)], [4, i32(encoding.rle)]);
  return page(pageType.data, Uint8Array.from(run), [5, header]);
}

function page(type: number, body: Uint8Array, header: readonly [number, ThriftValue]): Uint8Array {
  const fields = new Map([[1, i32(type)], [2, i32(body.length)], [3, i32(body.length)], header]);
  return Buffer.concat([encodeStruct(fields), body]);
}

interface ChunkPlace {
  readonly name: string;
  readonly type: number;
  readonly value: Uint8Array;
  readonly rows: number;
  readonly start: number;
  readonly dataAt: number;
  readonly end: number;
}

function columnChunk({ name, type, value, rows, start, dataAt, end }: ChunkPlace): ThriftValue {
  const statistics = struct([3, i64(0)], [4, i64(1)], [5, binary(value)], [6, binary(value)], [7, bool(true)], [8, bool(true)]);
  const metadata = struct(
    [1, i32(type)],
    [2, list(wire.i32, [i32(encoding.plain), i32(encoding.rle), i32(encoding.rleDictionary)])],
    [3, list(wire.binary, [binary(name)])],
    [4, i32(0)],
    [5, i64(rows)],
    [6, i64(end - start)],
    [7, i64(end - start)],
    [9, i64(dataAt)],
    [11, i64(start)],
    [12, statistics],
    [13, list(wire.struct, [pageCount(pageType.dictionary, encoding.plain), pageCount(pageType.data, encoding.rleDictionary)])],
  );
  return struct([chunkField.fileOffset, i64(0)], [chunkField.metadata, metadata]);
}

function pageCount(type: number, of: number): ThriftValue {
  return struct([1, i32(type)], [2, i32(of)], [3, i32(1)]);
}

function int64Bytes(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

function withLength(value: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return Buffer.concat([length, value]);
}
