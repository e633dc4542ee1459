import { isUtf8 } from "node:buffer";
import { createBatchReader, isValid, type Batch } from "../../arrow/column.ts";
import { endOfStream, headerKind, openMessage, readingArrow } from "../../arrow/message.ts";
import { typeName } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { cellWriter, type PutCell } from "./cells.ts";
import type { Dialect } from "./dialect.ts";
import type { TextBuffer } from "./text-buffer.ts";

export interface EncodeOptions {
  readonly dialect: Dialect;
  readonly rowEnd: string;
  readonly out: TextBuffer;
  /** So much text, and what is left of the row, is a slice. */
  readonly sliceBytes: number;
}

/**
 * Writes the rows of an Arrow IPC stream as text and yields the number of rows that `out` holds whenever that is a slice, and at the end;
 * who takes the text puts an empty buffer in its place.
 */
export function* encodeStream(stream: Uint8Array, options: EncodeOptions): Generator<number> {
  const { out } = options;
  const schemaEnd = openMessage(stream).end;
  const reader = createBatchReader({ kind: "schema", rows: 0, bytes: stream.subarray(0, schemaEnd) });
  let rows = 0;
  for (let at = schemaEnd; at < stream.length - endOfStream.length;) {
    const { end } = openMessage(stream, at);
    const kind = headerKind(stream, at) === dictionaryBatch ? "dictionary" : "batch";
    const batch = reader.read({ kind, rows: 0, bytes: stream.subarray(at, end) });
    at = end;
    if (batch === null) continue;
    const writer = rowWriter(batch, options);
    for (let row = 0; row < batch.rows;) {
      const next = writer.put(row);
      rows += next - row;
      row = next;
      if (out.at < options.sliceBytes) continue;
      yield rows;
      rows = 0;
    }
  }
  yield rows;
}

const dictionaryBatch = 2;

interface RowWriter {
  /** Writes rows from this one on until there is a slice, and returns the next. */
  put(row: number): number;
}

function rowWriter(batch: Batch, { dialect, rowEnd, out, sliceBytes }: EncodeOptions): RowWriter {
  const { columns, rows } = batch;
  const cells = columns.map((column) => cellWriter(column, out, dialect));
  const before = dialect.before(columns.map(({ field }) => field.name)).map((text) => Buffer.from(text));
  const [last, none] = [Buffer.from(rowEnd), Buffer.from(dialect.null)];
  const putRow = (row: number): void => {
    for (let index = 0; index < columns.length; index += 1) {
      out.put(before[index]!);
      const { validity } = columns[index]!;
      if (validity === null || ((validity[row >> 3]! >> (row & 7)) & 1) === 1) cells[index]!(row);
      else out.put(none);
    }
    out.put(last);
  };
  return {
    put(from) {
      const start = out.at;
      let row = from;
      readingArrow("a batch", () => {
        for (; row < rows && out.at < sliceBytes; row += 1) putRow(row);
      });
      if (!isUtf8(out.bytes.subarray(start, out.at))) refuse(batch, { cells, out, from, to: row });
      return row;
    },
  };
}

/** Names the value that is no text. */
function refuse(
  { columns }: Batch,
  { cells, out, from, to }: { readonly cells: readonly PutCell[]; readonly out: TextBuffer; readonly from: number; readonly to: number },
): never {
  for (let row = from; row < to; row += 1)
    for (const [index, column] of columns.entries()) {
      out.at = 0;
      if (isValid(column, row)) cells[index]!(row);
      if (isUtf8(out.bytes.subarray(0, out.at))) continue;
      const { name } = column.field;
      throw new TerminalFailure({
        code: "SINK_VALUE",
        message: `column "${name}" of type ${typeName(column.field)} holds bytes that are no UTF-8, in row ${row} of its batch`,
        hint: "Decode the text in the plugin, or yield it as binary",
        data: { column: name },
      });
    }
  throw new TerminalFailure({ code: "SINK_VALUE", message: "a row holds bytes that are no UTF-8" });
}
