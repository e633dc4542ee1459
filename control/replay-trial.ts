import { createReplay, replayPieces, type Replay } from "../contracts/replay.ts";
import { contractsBefore, loadPieces, openRows, type ReplayableOutput } from "../db/replay.ts";
import type { Queryable } from "../db/pool.ts";
import type { ContractVersion, RejectionReason } from "../domain/contract.ts";
import { TerminalFailure } from "../domain/failure.ts";

/** What a replay of an output would do now. */
export interface ReplayTrial {
  readonly output: string;
  /** Rows that are in quarantine still. */
  readonly rowsOpen: number;
  /** Of these, the ones that the contract in force lets pass. */
  readonly rowsPassing: number;
  readonly rowsRefused: number;
  /** The ones that the plugin itself has set aside, which no contract brings back. */
  readonly rowsByPlugin: number;
  /** The ones of which only the text is kept: from before rows were kept as they came, or of a file with very much of them. */
  readonly rowsAsText: number;
  /** In force now; null for none. */
  readonly contractVersion: number | null;
  /** Why rows are refused, by column, the most frequent first, each with the first row's words. */
  readonly reasons: readonly { readonly reason: RejectionReason; readonly rows: number }[];
  /** Why none can be tried. */
  readonly refusal: string | null;
}

/** Holds the rows of an output that are in quarantine against the contract in force, and changes nothing. */
export async function tryReplay(
  db: Queryable,
  of: ReplayableOutput,
  contract: ContractVersion | undefined,
  signal: AbortSignal | undefined,
): Promise<ReplayTrial> {
  const { output, rowsOpen, rowsByPlugin, rowsAsText, replacedBy } = of;
  const none = { rowsPassing: 0, rowsRefused: 0, reasons: [], contractVersion: contract?.version ?? null };
  const trial = { output, rowsOpen, rowsByPlugin, rowsAsText, ...none };
  if (replacedBy !== null) return { ...trial, refusal: `the result of job ${of.jobId} was replaced by that of job ${replacedBy}` };
  if (rowsOpen === rowsByPlugin + rowsAsText) return { ...trial, refusal: null };
  if (contract === undefined) return { ...trial, refusal: `output ${output} has no contract in force` };
  const schema = (await loadPieces(db, of, [0])).get(0)!;
  let replay: Replay;
  try {
    replay = createReplay({ contract, before: await contractsBefore(db, of), output, schema });
  } catch (error) {
    if (error instanceof TerminalFailure) return { ...trial, refusal: error.message };
    throw error;
  }
  return { ...trial, ...(await count(db, of, replay, signal)), refusal: null };
}

async function count(
  db: Queryable,
  of: ReplayableOutput,
  replay: Replay,
  signal: AbortSignal | undefined,
): Promise<Pick<ReplayTrial, "rowsPassing" | "rowsRefused" | "reasons">> {
  const found = new Map<string | null, { readonly reason: RejectionReason; rows: number }>();
  let [rowsPassing, rowsRefused] = [0, 0];
  for await (const { rows } of replayPieces(replay, await openRows(db, of), (pieces) => loadPieces(db, of, pieces))) {
    signal?.throwIfAborted();
    for (const { reasons } of rows) {
      if (reasons === null) rowsPassing += 1;
      else rowsRefused += 1;
      for (const reason of reasons ?? []) {
        const known = found.get(reason.column);
        if (known === undefined) found.set(reason.column, { reason, rows: 1 });
        else known.rows += 1;
      }
    }
  }
  return { rowsPassing, rowsRefused, reasons: [...found.values()].toSorted((a, b) => b.rows - a.rows) };
}
