import type { LedgerEntry } from "../db/job-output.ts";
import type { JobToRun } from "../db/job.ts";
import type { Queryable } from "../db/pool.ts";
import { countReplayed, replayableOutputs } from "../db/replay.ts";
import { pendingResults } from "../db/standing.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { replayOutdated } from "./replay-rows.ts";
import { unbalanced } from "./unbalanced.ts";

/**
 * Throws where a replay may not be committed: TerminalFailure LEDGER_UNBALANCED where the rows that passed and those that did not are not the
 * ledger's, ROW_REPLAYED where one has passed another replay, and REPLAY_OUTDATED where the result that it joins has been replaced. The
 * targets are locked.
 */
export async function checkReplay(tx: Queryable, job: JobToRun, replayOf: string, entries: readonly LedgerEntry[]): Promise<void> {
  const counts = new Map((await countReplayed(tx, job.id, job.attempt)).map((count) => [count.output, count]));
  const originals = new Map((await replayableOutputs(tx, [replayOf])).map((original) => [original.output, original]));
  for (const { output, rowsWritten, rowsQuarantined } of entries) {
    const { passed = 0, refused = 0, twice = 0 } = counts.get(output) ?? {};
    if (passed !== rowsWritten || refused !== rowsQuarantined) throw notedOtherwise(output, rowsWritten, rowsQuarantined, passed, refused);
    if (twice > 0) throw replayedTwice(output, twice, replayOf);
    const replacedBy = originals.get(output)?.replacedBy ?? null;
    if (replacedBy !== null) throw replayOutdated(replayOf, replacedBy);
  }
  const counted = entries.map(({ output }) => output);
  const lost = [...counts.values()].find(({ output, passed }) => passed > 0 && !counted.includes(output));
  if (lost !== undefined) throw notedOtherwise(lost.output, 0, 0, lost.passed, lost.refused);
}

/** Results of other jobs that may be visible and would take the place of what a replay joins. */
export async function rivalsOf(tx: Queryable, jobId: string, { uri, output }: LedgerEntry): Promise<readonly LedgerEntry[]> {
  const ofFile = await pendingResults(tx, jobId, { uri, output, mode: "replace" });
  const ofTarget = await pendingResults(tx, jobId, { uri, output, mode: "overwrite" });
  return [...ofFile.filter(({ mode }) => mode === "replace"), ...ofTarget.filter(({ mode }) => mode === "overwrite")];
}

function notedOtherwise(output: string, written: number, rejected: number, passed: number, refused: number): TerminalFailure {
  const noted = `${passed} are noted as passed and ${refused} as refused`;
  return unbalanced(output, `${written} rows were written and ${rejected} set aside again, and ${noted}`);
}

function replayedTwice(output: string, rows: number, replayOf: string): TerminalFailure {
  return new TerminalFailure({
    code: "ROW_REPLAYED",
    message: `${rows} rows of output ${output} have passed another replay meanwhile; nothing was committed`,
    hint: `See what is left with: casparian quarantine show ${replayOf} --open`,
  });
}
