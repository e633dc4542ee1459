import type { ArrowMessage } from "../domain/arrow.ts";
import type { Contract, RejectedRow, RejectedRows } from "../domain/contract.ts";
import { TerminalFailure } from "../domain/failure.ts";

/**
 * What one output of one attempt may set aside at most, whatever its contract says. Every row that is set aside is kept, so a file with
 * more of them fails: it is not one with some bad rows.
 */
export const quarantineMax = { rows: 100_000, bytes: 64 * 1024 * 1024 } as const;

type Limits = Pick<Contract, "rowsMax" | "shareMax">;

/** Collects the rows that one output sets aside, within the limits. */
export interface Quarantine {
  readonly rejected: RejectedRows;
  /**
   * `kept` has the same rows as they came, for a replay. Beyond the limit of bytes it is left out: then their text is all that is kept.
   * Throws TerminalFailure QUARANTINE_THRESHOLD or QUARANTINE_FULL as soon as there are too many rows, whatever may follow.
   */
  add(rejected: readonly RejectedRow[], kept: Kept | null): void;
  /** Throws TerminalFailure QUARANTINE_THRESHOLD where too large a share of all rows was set aside. */
  checkShare(rowsReceived: number): void;
}

/** Rows as they came: the schema's message of their output, and what comes after it. */
export interface Kept {
  readonly schema: ArrowMessage;
  readonly piece: Uint8Array;
}

export function createQuarantine(output: string, { rowsMax, shareMax }: Limits): Quarantine {
  const rows: RejectedRows["rows"][number][] = [];
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let pieceBytes = 0;

  function keep({ schema, piece }: Kept): number | null {
    const added = piece.length + (pieces.length === 0 ? schema.bytes.length : 0);
    if (pieceBytes + added > quarantineMax.bytes) return null;
    pieceBytes += added;
    // A copy, because the message's bytes belong to its sender.
    if (pieces.length === 0) pieces.push(new Uint8Array(schema.bytes));
    return pieces.push(piece) - 1;
  }

  return {
    rejected: { rows, pieces },
    add(rejected, kept) {
      const piece = kept === null ? null : keep(kept);
      for (const row of rejected) {
        rows.push({ ...row, piece });
        bytes += row.raw.length;
      }
      if (rowsMax !== null && rows.length > rowsMax) throw tooMany(output, rows, `at most ${rowsMax}`);
      if (rows.length > quarantineMax.rows || bytes > quarantineMax.bytes) throw full(output, rows);
    },
    checkShare(rowsReceived) {
      if (shareMax === null || rows.length <= shareMax * rowsReceived) return;
      throw tooMany(output, rows, `at most ${percent(shareMax)} of ${rowsReceived}`);
    },
  };
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))}%`;
}

function tooMany(output: string, rows: readonly RejectedRow[], allowed: string): TerminalFailure {
  return new TerminalFailure({
    code: "QUARANTINE_THRESHOLD",
    message: `${rows.length} rows of output ${output} are to be set aside, and its contract allows ${allowed}; nothing was committed. ${examples(rows)}`,
    hint: `Mend the file, the plugin or the contract (casparian contract set PLUGIN ${output} --max-rows N --max-share N%), then retry the job`,
  });
}

function full(output: string, rows: readonly RejectedRow[]): TerminalFailure {
  return new TerminalFailure({
    code: "QUARANTINE_FULL",
    message: `more than ${quarantineMax.rows} rows or ${quarantineMax.bytes / 1024 / 1024} MB of output ${output} are to be set aside; nothing was committed. ${examples(rows)}`,
    hint: "So many rows are kept of no file. Mend the plugin or the contract, then retry the job",
  });
}

/** The reasons by column, most frequent first, each with its first row. */
function examples(rows: readonly RejectedRow[]): string {
  const found = new Map<string, { count: number; first: string }>();
  for (const { rowNumber, reasons } of rows) {
    for (const { column, reason } of reasons) {
      const known = found.get(column ?? "");
      if (known !== undefined) known.count += 1;
      else found.set(column ?? "", { count: 1, first: `row ${rowNumber}: ${column === null ? "" : `${column} `}${reason}` });
    }
  }
  const most = [...found.values()].toSorted((a, b) => b.count - a.count).slice(0, 3);
  return most.map(({ count, first }) => (count === 1 ? first : `${first} (${count} rows for this column)`)).join("; ");
}
