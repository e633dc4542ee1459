import { TerminalFailure } from "../../domain/failure.ts";
import { buffersOf, dictionariesIn } from "../../arrow/buffers.ts";
import { batchLayout, dictionaryOf, endOfStream, headerKind, openMessage } from "../../arrow/message.ts";
import type { BatchLayout } from "../../arrow/message.ts";
import { typeName } from "../../arrow/type.ts";
import type { ArrowField, ArrowType } from "../../arrow/type.ts";
import { isConverted } from "./stored-schema.ts";

/**
 * Converts the values of an IPC stream in place from the plugin's types (`fields`) to those of `storedSchema`: seconds to
 * milliseconds, `date64` to `date32`. Throws TerminalFailure SINK_VALUE for a value that the new type can't hold.
 */
export function convertStream(stream: Uint8Array, fields: readonly ArrowField[]): void {
  const dictionaries = new Map(fields.flatMap(dictionariesIn));
  for (let at = 0; at < stream.length - endOfStream.length;) {
    const { header, bodyAt, end } = openMessage(stream, at);
    const kind = headerKind(stream, at);
    if (kind === recordBatch) convertBatch(stream, bodyAt, batchLayout(header), fields);
    if (kind === dictionaryBatch) {
      const { id, batch } = dictionaryOf(header);
      const values = dictionaries.get(id);
      if (values !== undefined) convertBatch(stream, bodyAt, batchLayout(batch), [values]);
    }
    at = end;
  }
}

const dictionaryBatch = 2;
const recordBatch = 3;

function convertBatch(stream: Uint8Array, bodyAt: number, layout: BatchLayout, fields: readonly ArrowField[]): void {
  if (layout.compressed)
    throw new TerminalFailure({ code: "SINK_SCHEMA", message: "the Arrow data is compressed; times in seconds can't be converted in it" });
  const position = { node: 0, buffer: 0, variadic: 0 };
  const visit = (field: ArrowField, path: string): void => {
    const rows = layout.nodes[position.node++]?.rows ?? 0;
    const validity = layout.buffers[position.buffer];
    const values = layout.buffers[position.buffer + 1];
    const { hasValidity, count, isView } = buffersOf(field);
    position.buffer += Number(hasValidity) + count;
    if (isView) position.buffer += layout.variadicCounts[position.variadic++] ?? 0;
    if (field.dictionary !== undefined) return;
    if (isConverted(field.type) && validity !== undefined && values !== undefined)
      convertValues({
        field,
        path,
        rows,
        values: viewOf(stream, bodyAt + values.at, values.bytes),
        validity: viewOf(stream, bodyAt + validity.at, validity.bytes),
      });
    for (const child of field.children) visit(child, `${path}.${child.name}`);
  };
  for (const field of fields) visit(field, field.name);
}

interface Values {
  readonly field: ArrowField;
  readonly path: string;
  readonly rows: number;
  readonly values: DataView;
  /** Empty where no value is null. */
  readonly validity: DataView;
}

function convertValues(column: Values): void {
  const { values, rows, field } = column;
  if (field.type.kind === "timestamp") multiply64(column);
  else if (field.type.kind === "time")
    for (let row = 0; row < rows; row++) {
      const milliseconds = values.getInt32(4 * row, true) * 1000;
      if (milliseconds !== (milliseconds | 0)) refuseValue(column, row);
      values.setInt32(4 * row, milliseconds, true);
    }
  else
    for (let row = 0; row < rows; row++) {
      const days = int64(values, row) / 86_400_000;
      if (days !== (days | 0)) refuseValue(column, row);
      values.setInt32(4 * row, days, true);
    }
}

/** Plain numbers hold all but absurd values and are some ten times faster than BigInts. */
function multiply64(column: Values): void {
  const { values, rows } = column;
  for (let row = 0; row < rows; row++) {
    const milliseconds = int64(values, row) * 1000;
    if (Number.isSafeInteger(milliseconds)) {
      const high = Math.floor(milliseconds / 2 ** 32);
      values.setUint32(8 * row, milliseconds - high * 2 ** 32, true);
      values.setInt32(8 * row + 4, high, true);
      continue;
    }
    const exact = values.getBigInt64(8 * row, true) * 1000n;
    if (exact !== BigInt.asIntN(64, exact)) refuseValue(column, row);
    values.setBigInt64(8 * row, exact, true);
  }
}

function int64(values: DataView, row: number): number {
  return values.getInt32(8 * row + 4, true) * 2 ** 32 + values.getUint32(8 * row, true);
}

/** What lies under a null means nothing, so only valid values are refused. */
function refuseValue({ field, path, validity, values }: Values, row: number): void {
  const isNull = validity.byteLength > 0 && ((validity.getUint8(row >> 3) >> (row & 7)) & 1) === 0;
  if (isNull) return;
  const value = field.type.kind === "time" ? values.getInt32(4 * row, true) : values.getBigInt64(8 * row, true);
  throw new TerminalFailure({
    code: "SINK_VALUE",
    message: `column "${path}" of type ${typeName(field)} holds ${value}, which Parquet can't keep: ${reasons(field.type)}`,
    hint: "Cast the column to another type in the plugin",
    data: { column: path, type: typeName(field) },
  });
}

function reasons(type: ArrowType): string {
  return type.kind === "date" ? "it is not a whole day" : "in milliseconds it is too large";
}

function viewOf(stream: Uint8Array, at: number, bytes: number): DataView {
  return new DataView(stream.buffer, stream.byteOffset + at, bytes);
}
