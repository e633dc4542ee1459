import { TerminalFailure } from "../domain/failure.ts";
import { buffersOf, dictionariesIn } from "./buffers.ts";
import { batchLayout, dictionaryOf, openMessage, readingArrow, type BatchLayout } from "./message.ts";
import { readSchema, type ArrowSchema } from "./schema.ts";
import { typeName, type ArrowField } from "./type.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { FlatTable } from "./flatbuffer.ts";

/**
 * One column of one batch, as its buffers lie in the message: nothing is copied, so it lasts as long as the message's bytes.
 * Source: Arrow columnar format, "Physical memory layout".
 */
export interface Column {
  readonly field: ArrowField;
  readonly length: number;
  /** Bit `row` is set where the value is there; null where all are. */
  readonly validity: Uint8Array | null;
  /** What follows the validity in the format's buffer listing: values; or offsets and bytes; or views and their bytes; or offsets and sizes. */
  readonly buffers: readonly Uint8Array[];
  readonly children: readonly Column[];
  /** Of a dictionary-encoded column: the values that its buffer's numbers count, in order, in one or several pieces. */
  readonly dictionary: readonly Column[] | null;
}

export interface Batch {
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** Reads the messages of one stream, which the sender may use again as soon as the batch that they gave was used. */
export interface BatchReader {
  readonly schema: ArrowSchema;
  /** The batch of a message; null for a dictionary, which is copied and used from then on. Throws TerminalFailure SINK_SCHEMA. */
  read(message: ArrowMessage): Batch | null;
}

/** Throws TerminalFailure SINK_SCHEMA for what is no schema. */
export function createBatchReader(schemaMessage: ArrowMessage): BatchReader {
  const schema = readingArrow("the schema", () => readSchema(openMessage(schemaMessage.bytes).header));
  const dictionaries = new Map<number, readonly Column[]>();
  const values = new Map(schema.fields.flatMap(dictionariesIn));
  return {
    schema,
    read({ kind, bytes }) {
      if (kind === "schema") return null;
      return readingArrow(`a ${kind}`, () => {
        const whole = aligned(bytes, kind === "dictionary");
        const { header, bodyAt, end } = openMessage(whole);
        const body = whole.subarray(bodyAt, end);
        if (kind === "batch") return readBatch({ batch: header, body, fields: schema.fields, dictionaries });
        const { id, isDelta, batch } = dictionaryOf(header);
        const field = values.get(id);
        if (field === undefined) throw new Error(`no column has the dictionary ${id}`);
        const [column] = readBatch({ batch, body, fields: [field], dictionaries }).columns;
        dictionaries.set(id, [...(isDelta ? (dictionaries.get(id) ?? []) : []), column!]);
        return null;
      });
    },
  };
}

/** Whether a value is there. */
export function isValid({ validity }: Column, row: number): boolean {
  return validity === null || ((validity[row >> 3]! >> (row & 7)) & 1) === 1;
}

/** Numbers of 2, 4 and 8 bytes are read in place, so they must lie at multiples of 8. */
function aligned(bytes: Uint8Array, isKept: boolean): Uint8Array {
  return isKept || bytes.byteOffset % 8 !== 0 ? new Uint8Array(bytes) : bytes;
}

interface BatchParts {
  readonly batch: FlatTable;
  readonly body: Uint8Array;
  readonly fields: readonly ArrowField[];
  readonly dictionaries: ReadonlyMap<number, readonly Column[]>;
}

function readBatch({ batch, body, fields, dictionaries }: BatchParts): Batch {
  const layout = batchLayout(batch);
  if (layout.compressed)
    throw new TerminalFailure({
      code: "SINK_SCHEMA",
      message: "the Arrow data is compressed, which this sink does not read",
      hint: "Yield tables without IPC compression",
    });
  const cursor = { node: 0, buffer: 0, variadic: 0 };
  const columns = fields.map((field) => readColumn(field, { layout, body, dictionaries, cursor }));
  const rows = columns[0]?.length ?? layout.rows;
  const uneven = columns.find((column) => column.length !== rows);
  if (uneven !== undefined) throw new Error(`column "${uneven.field.name}" has ${uneven.length} values where others have ${rows}`);
  return { rows, columns };
}

interface Position {
  readonly layout: BatchLayout;
  readonly body: Uint8Array;
  readonly dictionaries: ReadonlyMap<number, readonly Column[]>;
  readonly cursor: { node: number; buffer: number; variadic: number };
}

function readColumn(field: ArrowField, position: Position): Column {
  const { layout, dictionaries, cursor } = position;
  const node = layout.nodes[cursor.node++];
  if (node === undefined || node.rows < 0) throw new Error(`column "${field.name}" is missing in a batch`);
  const length = node.rows;
  const { hasValidity, count: own, isView } = buffersOf(field);
  const bits = hasValidity ? nextBuffer(field, position) : null;
  const validity = bits === null || bits.length === 0 || node.nulls === 0 ? null : atLeast(bits, Math.ceil(length / 8), field);
  const count = own + (isView ? (layout.variadicCounts[cursor.variadic++] ?? 0) : 0);
  const buffers = Array.from({ length: count }, (_, index) =>
    atLeast(nextBuffer(field, position), index === 0 ? firstBytes(field, length) : secondBytes(field, length, index), field),
  );
  if (field.dictionary !== undefined) {
    const dictionary = dictionaries.get(field.dictionary.id);
    // Arrow lets a stream without a single valid value come without its dictionary.
    return { field, length, validity, buffers, children: [], dictionary: dictionary ?? [] };
  }
  const children = field.children.map((child) => readColumn(child, position));
  checkChildren(field, length, children);
  return { field, length, validity, buffers, children, dictionary: null };
}

function nextBuffer(field: ArrowField, { layout, body, cursor }: Position): Uint8Array {
  const range = layout.buffers[cursor.buffer++];
  if (range === undefined) throw new Error(`column "${field.name}" lacks a buffer`);
  const { at, bytes } = range;
  if (at < 0 || bytes < 0 || at % 8 !== 0 || at + bytes > body.length)
    throw new Error(`column "${field.name}" has a buffer outside of its message`);
  return body.subarray(at, at + bytes);
}

function atLeast(buffer: Uint8Array, bytes: number, field: ArrowField): Uint8Array {
  if (buffer.length < bytes)
    throw new Error(`column "${field.name}" of type ${typeName(field)} has a buffer of ${buffer.length} bytes where ${bytes} are needed`);
  return buffer;
}

/** Bytes that a value takes in the first buffer; 1/8 for bits. */
export function widthOf({ type, dictionary }: Pick<ArrowField, "type" | "dictionary">): number {
  if (dictionary !== undefined) return dictionary.index.bits / 8;
  switch (type.kind) {
    case "bool":
      return 1 / 8;
    case "int":
    case "decimal":
    case "time":
      return type.bits / 8;
    case "float":
      return 2 << type.precision;
    case "date":
      return type.unit === 0 ? 4 : 8;
    case "timestamp":
    case "duration":
      return 8;
    case "interval":
      return [4, 8, 16][type.unit] ?? 0;
    case "fixed_size_binary":
      return type.width;
    case "string_view":
    case "binary_view":
      return 16;
    case "union":
      return 1;
    case "string":
    case "binary":
    case "list":
    case "map":
    case "list_view":
      return 4;
    default:
      return 8;
  }
}

/** Offsets are one more than values; where there is no value there may be no offset either. */
function firstBytes(field: ArrowField, length: number): number {
  const isOffsets = field.dictionary === undefined && /^(large_)?(string|binary|list)$|^map$/.test(field.type.kind);
  if (isOffsets) return length === 0 ? 0 : (length + 1) * widthOf(field);
  return Math.ceil(length * widthOf(field));
}

function secondBytes({ type, dictionary }: ArrowField, length: number, index: number): number {
  if (dictionary !== undefined || index !== 1) return 0;
  return type.kind === "list_view" ? 4 * length : type.kind === "large_list_view" ? 8 * length : 0;
}

function checkChildren(field: ArrowField, length: number, children: readonly Column[]): void {
  const needed = field.type.kind === "struct" ? length : field.type.kind === "fixed_size_list" ? length * field.type.size : 0;
  const short = children.find((child) => child.length < needed);
  if (short !== undefined) throw new Error(`column "${field.name}" has ${short.length} values below it where ${needed} are needed`);
}
