import { dictionaryIds } from "./buffers.ts";
import type { Column } from "./column.ts";
import { compactColumn } from "./compact.ts";
import { runsOf, takeRows } from "./filter.ts";
import type { ArrowField } from "./type.ts";
import { writeBatch, writeDictionaries } from "./write-batch.ts";

/**
 * Takes the marked rows out of batches of one schema, exactly as they are, with nothing of the others: the bytes of the dictionaries' messages
 * and of the batch. After the schema's message, the pieces of several batches are a stream.
 */
export function createRowKeeper(fields: readonly ArrowField[]): (columns: readonly Column[], marks: Uint8Array) => Uint8Array {
  const ids = fields.flatMap(dictionaryIds);
  const shared = new Set(ids.filter((id, index) => ids.indexOf(id) !== index));
  return (columns, marks) => {
    const runs = runsOf(marks, true);
    const taken = columns.map((column) => compactColumn(takeRows(column, runs), shared));
    return Buffer.concat([...writeDictionaries(taken), writeBatch(runs.rows, taken)].map(({ bytes }) => bytes));
  };
}
