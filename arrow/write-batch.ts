import type { ArrowMessage } from "../domain/arrow.ts";
import { buffersOf } from "./buffers.ts";
import type { Column } from "./column.ts";
import { encodeFlat, type FlatFields, type FlatValue } from "./flatbuffer.ts";
import { encapsulate, messageVersion } from "./message.ts";

/**
 * The encapsulated message of a batch. The columns' buffers are copied into it, so it lasts when those do not.
 * Source: Arrow columnar format, "RecordBatch message"; Apache Arrow format/Message.fbs.
 */
export function writeBatch(rows: number, columns: readonly Column[]): ArrowMessage {
  const body = bodyOf(columns);
  return { kind: "batch", rows, bytes: assemble(3, batchTable(rows, body), body) };
}

/** The same for the dictionaries of columns, innermost first, each in as many messages as it has pieces. */
export function writeDictionaries(columns: readonly Column[]): readonly ArrowMessage[] {
  return columns.flatMap(({ field, children, dictionary }): readonly ArrowMessage[] => {
    if (field.dictionary === undefined) return writeDictionaries(children);
    const { id } = field.dictionary;
    return (dictionary ?? []).flatMap((values, piece) => {
      const body = bodyOf([values]);
      const header: FlatFields = new Map<number, FlatValue>([
        [0, { kind: "i64", value: id }],
        [1, { kind: "table", value: batchTable(values.length, body) }],
        [2, { kind: "bool", value: piece > 0 }],
      ]);
      return [...writeDictionaries(values.children), { kind: "dictionary", rows: 0, bytes: assemble(2, header, body) }];
    });
  });
}

function batchTable(rows: number, { nodes, ranges, variadicCounts }: Body): FlatFields {
  const table = new Map<number, FlatValue>([
    [0, { kind: "i64", value: rows }],
    [1, { kind: "pairs", value: nodes }],
    [2, { kind: "pairs", value: ranges }],
  ]);
  if (variadicCounts.length > 0) table.set(4, { kind: "i64s", value: variadicCounts });
  return table;
}

function assemble(kind: number, header: FlatFields, body: Body): Uint8Array {
  const message: FlatFields = new Map<number, FlatValue>([
    [0, { kind: "i16", value: messageVersion }],
    [1, { kind: "u8", value: kind }],
    [2, { kind: "table", value: header }],
    [3, { kind: "i64", value: body.bytes }],
  ]);
  const head = encapsulate(encodeFlat(message));
  const bytes = new Uint8Array(head.length + body.bytes);
  bytes.set(head);
  for (const [index, piece] of body.pieces.entries()) bytes.set(piece, head.length + body.ranges[index]![0]);
  return bytes;
}

function bodyOf(columns: readonly Column[]): Body {
  const body: Body = { nodes: [], ranges: [], pieces: [], variadicCounts: [], bytes: 0 };
  for (const column of columns) addColumn(body, column);
  return body;
}

interface Body {
  readonly nodes: [rows: number, nulls: number][];
  readonly ranges: [at: number, bytes: number][];
  readonly pieces: Uint8Array[];
  readonly variadicCounts: number[];
  bytes: number;
}

function addColumn(body: Body, column: Column): void {
  const { field, length, validity, buffers, children } = column;
  const { hasValidity, isView } = buffersOf(field);
  const isNull = field.dictionary === undefined && field.type.kind === "null";
  body.nodes.push([length, isNull ? length : validity === null ? 0 : length - countBits(validity, length)]);
  if (hasValidity) addBuffer(body, validity ?? none);
  for (const buffer of buffers) addBuffer(body, buffer);
  if (isView) body.variadicCounts.push(buffers.length - 1);
  for (const child of children) addColumn(body, child);
}

const none = new Uint8Array(0);

function addBuffer(body: Body, buffer: Uint8Array): void {
  body.ranges.push([body.bytes, buffer.length]);
  body.pieces.push(buffer);
  body.bytes += Math.ceil(buffer.length / 8) * 8;
}

/** How many of the first `length` bits are set. */
export function countBits(bits: Uint8Array, length: number): number {
  const whole = length >> 3;
  let count = 0;
  for (let at = 0; at < whole; at += 1) count += bitsOfByte[bits[at]!]!;
  if (length % 8 !== 0) count += bitsOfByte[bits[whole]! & ((1 << (length % 8)) - 1)]!;
  return count;
}

const bitsOfByte = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
