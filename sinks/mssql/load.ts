import { TerminalFailure } from "../../domain/failure.ts";
import type { Batch } from "../../arrow/column.ts";
import type { TargetColumn } from "./columns.ts";
import { ValueRefused } from "./refused-value.ts";
import type { Session } from "./session.ts";
import { stagingColumns, stagingTable } from "./staging.ts";
import { driverType, type WireBuffer } from "./wire-type.ts";
import { valueWriter, type WriteAt } from "./write-value.ts";

/** Rows on their way into a staging table. */
export interface Load {
  /** Resolves when nothing of the batch is needed any more. */
  send(batch: Batch): Promise<void>;
  /** Resolves with the number of rows that the server says it has taken. */
  finish(): Promise<number>;
}

/**
 * Begins a bulk load. The driver asks for a row whenever there is room on the wire, and has the columns write that row out of the batch's own
 * buffers, so no row is ever made. Between batches it waits.
 */
export function startLoad(session: Session, name: string, columns: readonly TargetColumn[]): Load {
  const rows = createRows(columns);
  const loading = session.load(
    stagingTable(name),
    (load) => {
      for (const [index, column] of stagingColumns(columns).entries())
        load.addColumn(column.name, driverType(column.type, rows.writer(index)), { nullable: true });
    },
    rows.source,
  );
  loading.catch((error: Error) => rows.fail(error));
  return {
    send: (batch) => rows.send(batch),
    async finish() {
      rows.end();
      return loading;
    },
  };
}

interface Rows {
  readonly source: AsyncIterable<readonly unknown[]>;
  /** Writes the value of a column in the row that is asked for. */
  writer(column: number): (out: WireBuffer) => void;
  send(batch: Batch): Promise<void>;
  end(): void;
  fail(error: Error): void;
}

type Step = IteratorResult<readonly unknown[], undefined>;

function createRows(columns: readonly TargetColumn[]): Rows {
  const types = stagingColumns(columns).map(({ type }) => type);
  const nobody: WriteAt = (out) => out.writeUInt8(0);
  let writers: readonly WriteAt[] = [nobody];
  let [row, rowCount, rowsBefore] = [-1, 0, 0];
  let failure: Error | null = null;
  /** Called when the batch is used up; null where there is none. */
  let release: PromiseWithResolvers<void> | null = null;
  /** Called with the next batch's first row, or the end; null where nobody waits for it. */
  let wake: ((step: Step) => void) | null = null;
  let isEnded = false;
  const aRow: Step = { done: false, value: [] };
  const theEnd: Step = { done: true, value: undefined };

  /** Rows of a batch are given at once, because a promise for each would cost more than the row. */
  const next = (): Step | Promise<Step> => {
    row += 1;
    if (row < rowCount) return aRow;
    release?.resolve();
    release = null;
    if (isEnded) return theEnd;
    return new Promise((resolve) => {
      wake = resolve;
    });
  };
  const wakeWith = (step: Step): void => {
    const waiting = wake;
    wake = null;
    waiting?.(step);
  };
  return {
    source: { [Symbol.asyncIterator]: () => ({ next: next as () => Promise<Step>, return: async () => theEnd }) },
    writer: (index) => (out) => {
      try {
        writers[index]!(out, row);
      } catch (error) {
        throw error instanceof ValueRefused ? refusedAt(error, columns[index]!.name, rowsBefore + row + 1) : error;
      }
    },
    async send(batch) {
      if (failure !== null) throw failure;
      if (batch.rows === 0) return;
      if (columns.length > 0) writers = batch.columns.map((column, index) => valueWriter(column, types[index]!));
      rowsBefore += rowCount;
      [row, rowCount] = [0, batch.rows];
      const released = Promise.withResolvers<void>();
      release = released;
      wakeWith(aRow);
      await released.promise;
    },
    end() {
      isEnded = true;
      wakeWith(theEnd);
    },
    fail(error) {
      failure = error;
      release?.reject(error);
      release = null;
    },
  };
}

function refusedAt({ message, hint }: ValueRefused, column: string, row: number): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_VALUE",
    message: `row ${row} of column "${column}" is ${message}`,
    hint,
    data: { column, row },
  });
}
