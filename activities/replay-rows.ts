import { createReplay, replayPieces } from "../contracts/replay.ts";
import { ContractDrift } from "../contracts/screen.ts";
import { contractsOf } from "../db/contract.ts";
import type { StagedEntry } from "../db/job-output.ts";
import type { JobToRun } from "../db/job.ts";
import type { Database } from "../db/pool.ts";
import { contractsBefore, loadPieces, openRows, replayableOutputs, type ReplayableOutput, type ReplayedRow } from "../db/replay.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { ContractVersion } from "../domain/contract.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { PluginArtifact } from "../domain/plugin.ts";
import type { Sinks } from "../sinks/registry.ts";
import type { SinkWriter } from "../sinks/sink.ts";
import { enterLedger } from "./enter-ledger.ts";
import { resultWriters } from "./result-writers.ts";

export interface ReplayContext {
  readonly db: Database;
  readonly sinks: Sinks;
  readonly signal: AbortSignal;
  readonly heartbeat: (progress: unknown) => void;
  readonly artifactOf: (pluginId: string) => Promise<PluginArtifact>;
}

/** One attempt of a replay. */
interface Attempt extends ReplayContext {
  readonly open: ReturnType<typeof resultWriters>;
  /** All that were opened. */
  readonly writers: SinkWriter[];
}

/**
 * Takes the rows that contracts refused, of each output of a job, and holds them against the contract that is in force now. What passes is
 * staged as a result that joins the job's; what doesn't is noted with its new reasons. An output of which nothing passes has no result, and one
 * whose columns the contract does not take is passed over, unless there is no other.
 *
 * Throws TerminalFailure REPLAY_OUTDATED where the job's results have been replaced.
 */
export async function replayRows(
  job: JobToRun,
  replayOf: string,
  version: FileVersion,
  context: ReplayContext,
): Promise<{ readonly outcome: "STAGED"; readonly attempt: number }> {
  const outputs = standing(await replayableOutputs(context.db, [replayOf]), replayOf);
  const [artifact, contracts] = await Promise.all([context.artifactOf(job.pluginId), contractsOf(context.db, job.pluginName)]);
  const attempt: Attempt = { ...context, open: resultWriters({ job, version, artifact, sinks: context.sinks }), writers: [] };
  try {
    const entries: StagedEntry[] = [];
    const replayed: ReplayedRow[] = [];
    let drifted: ContractDrift | null = null;
    for (const output of outputs) {
      const result = await replayOutput(output, contracts.get(output.output), attempt).catch((error: unknown) => {
        if (error instanceof ContractDrift) return error;
        throw error;
      });
      if (result instanceof ContractDrift) {
        drifted ??= result;
        continue;
      }
      if (result.entry !== null) entries.push(result.entry);
      for (const row of result.rows) replayed.push(row);
      context.heartbeat({ rowsReplayed: replayed.length });
    }
    if (drifted !== null && replayed.length === 0) throw drifted;
    return await enterLedger(job, { entries, drifts: [], logs: [], peakMemoryBytes: null, replayed }, context);
  } catch (error) {
    await Promise.all(attempt.writers.map((writer) => writer.abort()));
    throw error;
  }
}

/** The outputs that have rows to replay and stand. */
function standing(outputs: readonly ReplayableOutput[], jobId: string): readonly ReplayableOutput[] {
  const some = outputs.filter(({ rowsOpen, rowsByPlugin, rowsAsText }) => rowsOpen > rowsByPlugin + rowsAsText);
  const replaced = some.find(({ replacedBy }) => replacedBy !== null);
  if (replaced !== undefined && some.every(({ replacedBy }) => replacedBy !== null)) throw replayOutdated(jobId, replaced.replacedBy!);
  return some.filter(({ replacedBy }) => replacedBy === null);
}

async function replayOutput(
  of: ReplayableOutput,
  contract: ContractVersion | undefined,
  attempt: Attempt,
): Promise<{ readonly entry: StagedEntry | null; readonly rows: readonly ReplayedRow[] }> {
  const { db, signal } = attempt;
  const { output } = of;
  if (contract === undefined)
    throw new TerminalFailure({
      code: "NO_CONTRACT",
      message: `output ${output} has no contract in force that rows could be held against`,
    });
  const open = await openRows(db, of);
  const schema = (await loadPieces(db, of, [0])).get(0)!;
  const replay = createReplay({ contract, before: await contractsBefore(db, of), output, schema });
  const rows: ReplayedRow[] = [];
  let writer: SinkWriter | null = null;
  for await (const piece of replayPieces(replay, open, (pieces) => loadPieces(db, of, pieces))) {
    signal.throwIfAborted();
    for (const row of piece.rows) rows.push(row);
    if (piece.rows.some(({ reasons }) => reasons === null)) writer ??= await openWriter(of, replay.schema, attempt);
    if (writer !== null) for (const message of piece.messages) await writer.write(message);
  }
  if (writer === null) return { entry: null, rows };
  const entry: StagedEntry = {
    ...(await writer.stage()),
    rowsSent: of.rowsOpen - of.rowsByPlugin - of.rowsAsText,
    rowsReceived: rows.length,
    rowsQuarantined: rows.filter(({ reasons }) => reasons !== null).length,
    contractId: contract.id,
    givenColumns: replay.givenColumns,
    nextColumns: replay.nextColumns,
    rejected: { rows: [], pieces: [] },
  };
  return { entry, rows };
}

async function openWriter({ output, uri }: ReplayableOutput, schema: ArrowMessage, { open, writers }: Attempt): Promise<SinkWriter> {
  const writer = await open({ uri, mode: "append", output, isJoining: true, schema });
  writers.push(writer);
  return writer;
}

/** Nothing may join a result that is no longer there. */
export function replayOutdated(jobId: string, replacedBy: string): TerminalFailure {
  return new TerminalFailure({
    code: "REPLAY_OUTDATED",
    message: `the result of job ${jobId} was replaced by that of job ${replacedBy}, so its rows in quarantine can join nothing`,
    hint: `The rows that job ${replacedBy} set aside, if any, can be replayed: casparian quarantine replay ${replacedBy} --dry-run`,
    data: { jobId, replacedBy },
  });
}
