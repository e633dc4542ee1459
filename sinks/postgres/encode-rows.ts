import type { Batch } from "../../arrow/column.ts";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import { CopyBuffer, ValueRefused, type WriteValue } from "./copy-buffer.ts";
import { fixedBytesMax, valueWriter } from "./write-value.ts";

/** Lays batches out as rows of `COPY … (format binary)`. Source: PostgreSQL, "COPY", "Binary Format". */
export interface RowEncoder {
  /**
   * The rows of a batch in blocks, each in one of two buffers that take turns: a block's bytes may be used until the one after the next is
   * asked for. Throws TerminalFailure SINK_VALUE that names column and row.
   */
  encode(batch: Batch): Generator<Uint8Array, void>;
  /** What is left at the end, with the signature where nothing came before. */
  finish(): Uint8Array;
}

/** One block is under way to the server while the next is filled. Larger ones were not quicker. */
const blockBytes = 256 * 1024;

const signature = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

export function createRowEncoder(columns: number): RowEncoder {
  const slack = 8 + columns * fixedBytesMax;
  let [out, other] = [new CopyBuffer(blockBytes, slack), new CopyBuffer(0, slack)];
  let at = signature.copy(out.bytes);
  let rowsBefore = 0;

  const take = (): Uint8Array => {
    const block = out.bytes.subarray(0, at);
    [out, other] = [other, out];
    at = 0;
    return block;
  };
  return {
    *encode(batch) {
      const writers = new Map([out, other].map((buffer) => [buffer, batch.columns.map((column) => valueWriter(column, buffer))] as const));
      let row = 0;
      while (row < batch.rows) {
        [row, at] = encodeBlock(batch, { writers: writers.get(out)!, out, at, row, rowsBefore });
        if (at >= blockBytes) yield take();
      }
      rowsBefore += batch.rows;
    },
    finish() {
      out.reserve(at, 2);
      out.view.setInt16(at, -1);
      at += 2;
      return take();
    },
  };
}

interface Block {
  readonly writers: readonly WriteValue[];
  readonly out: CopyBuffer;
  readonly at: number;
  readonly row: number;
  readonly rowsBefore: number;
}

/** Fills the buffer up to its size or the batch's end; returns the next row and where the next value begins. */
function encodeBlock(batch: Batch, { writers, out, at: from, row: first, rowsBefore }: Block): [row: number, at: number] {
  const { rows } = batch;
  let [row, at, column] = [first, from, 0];
  try {
    for (; row < rows && at < blockBytes; row += 1) {
      out.reserve(at, 0);
      out.view.setInt16(at, writers.length);
      at += 2;
      for (column = 0; column < writers.length; column += 1) at = writers[column]!(row, at);
    }
    return [row, at];
  } catch (error) {
    const name = batch.columns[column]?.field.name ?? "";
    if (error instanceof ValueRefused) throw refused(name, rowsBefore + row + 1, error.message);
    if (error instanceof TerminalFailure) throw error;
    throw new TerminalFailure({
      code: "SINK_SCHEMA",
      message: `column "${name}" of a batch is no valid Arrow data: ${messageOf(error)}`,
      cause: error,
    });
  }
}

function refused(column: string, row: number, reason: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_VALUE",
    message: `row ${row} of column "${column}" can't be kept in Postgres: ${reason}`,
    hint: "Change the value in the plugin, or cast the column to a type that keeps it, such as a text",
    data: { column, row },
  });
}
