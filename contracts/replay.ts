import { createBatchReader } from "../arrow/column.ts";
import { runsOf, takeRows } from "../arrow/filter.ts";
import { readingArrow } from "../arrow/message.ts";
import { messagesIn } from "../arrow/stream.ts";
import { textReader } from "../arrow/text.ts";
import { typeName, type ArrowField } from "../arrow/type.ts";
import { writeBatch } from "../arrow/write-batch.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { ColumnChange, Contract, ContractColumn, RejectionReason } from "../domain/contract.ts";
import { quoted } from "./cast.ts";
import { refuseRepeated, type UniqueCheck } from "./check.ts";
import { haveSameValues } from "./compare.ts";
import { columnsOf, createScreen } from "./screen.ts";

/** A row that a contract refused and that is kept as it came. */
export interface KeptRow {
  readonly id: string;
  /** Its place among the rows of its piece, from 0. */
  readonly position: number;
  /** Why it was set aside first. */
  readonly reasons: readonly RejectionReason[];
}

/** Holds kept rows against the contract that is in force now. */
export interface Replay {
  /** The schema of the rows that pass. */
  readonly schema: ArrowMessage;
  readonly givenColumns: readonly ContractColumn[];
  readonly changes: readonly ColumnChange[];
  readonly nextColumns: readonly ContractColumn[] | null;
  /** Takes some rows of a piece, in the order of their places. */
  take(piece: Uint8Array, rows: readonly KeptRow[]): ReplayedPiece;
}

export interface ReplayedPiece {
  /** What is to be written. */
  readonly messages: readonly ArrowMessage[];
  /** The same rows, each with why it is refused again; null where it passes. */
  readonly rows: readonly { readonly id: string; readonly reasons: readonly RejectionReason[] | null }[];
}

/**
 * Which values a file has twice can't be told from some of its rows. Where the contract that refused them, and those of all replays since
 * (`before`), held the column unique in the same type, it was told then; else a value in it is refused.
 *
 * Throws ContractDrift as `createScreen` does.
 */
export function createReplay(options: {
  readonly contract: Contract;
  readonly before: readonly Contract[];
  readonly output: string;
  readonly schema: Uint8Array;
}): Replay {
  const { contract, before, output } = options;
  const schema: ArrowMessage = { kind: "schema", rows: 0, bytes: options.schema };
  const reader = createBatchReader(schema);
  let current: readonly KeptRow[] = [];
  let taken = 0;
  const unique: UniqueCheck = (field) => uniqueAgain(field, before, () => current);
  const screen = createScreen({ contract, output, schema, unique });

  return {
    schema: screen.schema,
    givenColumns: columnsOf(schema),
    changes: screen.changes,
    nextColumns: screen.nextColumns,
    take(piece, rows) {
      current = rows;
      return readingArrow(`what is kept of output ${output}`, () => {
        const messages: ArrowMessage[] = [];
        const refused = new Map<number, readonly RejectionReason[]>();
        for (const message of messagesIn(piece)) {
          const given = message.kind === "batch" ? chosen(message, rows) : message;
          if (message.kind === "dictionary") reader.read(message);
          const passed = screen.take(given);
          if (passed.message !== null) messages.push(passed.message);
          for (const { rowNumber, reasons } of passed.rejected) refused.set(rowNumber - 1 - taken, reasons);
        }
        taken += rows.length;
        return { messages, rows: rows.map(({ id }, row) => ({ id, reasons: refused.get(row) ?? null })) };
      });
    },
  };

  function chosen(message: ArrowMessage, rows: readonly KeptRow[]): ArrowMessage {
    const batch = reader.read(message)!;
    if (rows.length === batch.rows) return message;
    const marks = new Uint8Array(batch.rows);
    for (const { position } of rows) marks[position] = 1;
    const runs = runsOf(marks, true);
    if (runs.rows !== rows.length) throw new RangeError(`${batch.rows} rows are kept where ${rows.length} others are asked for`);
    return writeBatch(
      runs.rows,
      batch.columns.map((column) => takeRows(column, runs)),
    );
  }
}

function uniqueAgain(field: ArrowField, before: readonly Contract[], rowsNow: () => readonly KeptRow[]): ReturnType<UniqueCheck> {
  const wasHeld = before.length > 0 && before.every(({ columns }) => holdsUnique(columns, field));
  return (column, refuse) => {
    const rows = rowsNow();
    const text = textReader(column);
    for (let row = 0; row < column.length; row += 1) {
      const value = text(row);
      if (value === null) continue;
      const { reasons } = rows[row]!;
      if (!wasHeld) refuse(row, untold(value));
      else if (reasons.some(({ column: name, isRepeated }) => name === field.name && isRepeated === true))
        refuseRepeated(column, row, refuse);
    }
  };
}

function holdsUnique(columns: readonly ContractColumn[], field: ArrowField): boolean {
  return columns.some(({ name, type, checks }) => name === field.name && checks?.unique === true && haveSameValues(type, typeName(field)));
}

function untold(value: string): string {
  return `${quoted(value)} may be in the file a second time, which only the whole file tells: the column was not unique, or of another type, when the others were written`;
}

/** Pieces that are in memory at once; all of an output's are bounded by the limit of a quarantine. */
const piecesMax = 50;

/** Takes rows through a replay, piece by piece; `load` gives the bytes of pieces by their numbers. */
export async function* replayPieces(
  replay: Replay,
  rows: readonly (KeptRow & { readonly piece: number })[],
  load: (pieces: readonly number[]) => Promise<ReadonlyMap<number, Uint8Array>>,
): AsyncGenerator<ReplayedPiece> {
  const byPiece = [...Map.groupBy(rows, ({ piece }) => piece)];
  for (let from = 0; from < byPiece.length; from += piecesMax) {
    const some = byPiece.slice(from, from + piecesMax);
    const loaded = await load(some.map(([piece]) => piece));
    for (const [piece, itsRows] of some) yield replay.take(loaded.get(piece)!, itsRows);
  }
}
