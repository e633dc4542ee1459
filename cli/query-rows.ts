import { once } from "node:events";
import type { Writable } from "node:stream";
import type { QueryRows, RowBatch } from "../control/run-query.ts";
import { csvLine, distinctNames } from "./row-text.ts";

/** Takes text at the pace of whoever reads it; false once nobody does any more. */
export type TextSink = (text: string) => Promise<boolean>;

/** `casparian query … | head` is no error: the reader has seen enough. */
export function textSink(stream: Writable): TextSink {
  return async (text) => {
    if (stream.destroyed || stream.errored !== null) return false;
    if (stream.write(text)) return true;
    await drained(stream);
    return !stream.destroyed && stream.errored === null;
  };
}

async function drained(stream: Writable): Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    await Promise.race([once(stream, "drain", { signal }), once(stream, "close", { signal })]);
  } catch {
    // A broken pipe: the stream knows it.
  } finally {
    ended.abort();
  }
}

/** Rows as RFC 4180 under a header, with plain line ends; returns how many. */
export async function writeCsv({ columns, batches }: QueryRows, write: TextSink, limit: number): Promise<number> {
  if (!(await write(`${csvLine(columns.map(({ name }) => name))}\n`))) return 0;
  return eachRows(batches, limit, (batch, rows) =>
    write(linesOf(rows, (row) => `${csvLine(columns.map((_, column) => batch.text(row, column)))}\n`)),
  );
}

/** Rows as one JSON array of objects, a row a line; returns how many. */
export async function writeJson({ columns, batches }: QueryRows, write: TextSink, limit: number): Promise<number> {
  const names = distinctNames(columns.map(({ name }) => name)).map((name) => JSON.stringify(name));
  let before = "[\n";
  const total = await eachRows(batches, limit, (batch, rows) => {
    const text = linesOf(rows, (row) => {
      const line = `${before}  {${names.map((name, column) => `${name}: ${batch.json(row, column)}`).join(", ")}}`;
      before = ",\n";
      return line;
    });
    return write(text);
  });
  await write(total === 0 ? "[]\n" : "\n]\n");
  return total;
}

function linesOf(rows: number, line: (row: number) => string): string {
  let text = "";
  for (let row = 0; row < rows; row += 1) text += line(row);
  return text;
}

/** Goes on until the limit, the last row, or a false. */
async function eachRows(
  batches: AsyncIterable<RowBatch>,
  limit: number,
  take: (batch: RowBatch, rows: number) => Promise<boolean>,
): Promise<number> {
  let taken = 0;
  if (limit === 0) return 0;
  for await (const batch of batches) {
    const rows = Math.min(batch.rows, limit - taken);
    taken += rows;
    if (!(await take(batch, rows)) || taken >= limit) break;
  }
  return taken;
}

/** The first rows as text, column by column, and how many there are in all. */
export async function readSome({ columns, batches }: QueryRows, limit: number): Promise<{ rows: (string | null)[][]; total: number }> {
  const rows: (string | null)[][] = [];
  let total = 0;
  for await (const batch of batches) {
    for (let row = 0; row < batch.rows && rows.length < limit; row += 1) rows.push(columns.map((_, column) => batch.text(row, column)));
    total += batch.rows;
  }
  return { rows, total };
}
