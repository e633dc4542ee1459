import type { LogChunk, PluginLimits, PluginPool, PluginReport } from "../bridge/pool.ts";
import type { Contract } from "../domain/contract.ts";
import { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import type { PluginGrants } from "../domain/plugin-grant.ts";
import type { PluginFolder, PluginProcess } from "../domain/plugin.ts";
import type { TrialInput } from "./inputs.ts";
import { createTaking, type AsideTrial, type OutputTrial, type RowKeeper } from "./taking.ts";
import { describeFailure, pointAt, type TrialFailure } from "./trial-failure.ts";

/** What a plugin made of one file; nothing of it was written anywhere. */
export interface FileTrial {
  readonly path: string;
  readonly failure: TrialFailure | null;
  readonly outputs: readonly OutputTrial[];
  readonly setAside: readonly AsideTrial[];
  /** What it printed and logged, without the traceback. */
  readonly logs: readonly Pick<LogChunk, "stream" | "text">[];
  /** Null where it failed before anything was measured. */
  readonly timing: TrialTiming | null;
  readonly peakMemoryBytes: number;
}

/** Seconds. */
export interface TrialTiming {
  /** Of the whole run, from the fork of the plugin's process to its end. */
  readonly total: number;
  /** The plugin's own code; null where it failed. */
  readonly plugin: number | null;
  /** Its rows on their way, with the contracts' checks. */
  readonly transport: number | null;
  /** What is left: starting, confining and ending its process. */
  readonly process: number | null;
}

export interface TrialPlugin {
  readonly name: string;
  /** Where its file lies: tracebacks point into it. */
  readonly path: string;
  readonly sourceCode: string;
  readonly folder?: PluginFolder | null | undefined;
  readonly artifactHash: string;
  readonly defaultOutput: string;
  readonly process?: PluginProcess | undefined;
  /** The interpreter of its environment. */
  readonly python: string;
  /** What an operator grants it; nothing unless given. */
  readonly grants?: PluginGrants | undefined;
  /** By output. */
  readonly contracts: ReadonlyMap<string, Contract>;
}

export interface TrialBench {
  readonly pool: PluginPool;
  readonly limits: PluginLimits;
  readonly rowsShown: number;
  /** Not there; made for the run and removed after it. */
  readonly scratchDir: string;
  readonly signal: AbortSignal;
  /** What becomes of the rows; nothing unless given. */
  readonly keeper?: RowKeeper | undefined;
}

/** Runs a plugin over one file as a worker does, sandbox and all. Rejects only with the signal's reason, and for defects. */
export async function tryFile(plugin: TrialPlugin, input: TrialInput, bench: TrialBench): Promise<FileTrial> {
  const { name, artifactHash, sourceCode, folder, defaultOutput, process, python, contracts, grants } = plugin;
  const { pool, scratchDir, limits, signal, rowsShown, keeper } = bench;
  const taking = createTaking({ defaultOutput, contracts, rowsShown, keeper });
  const made = (): Pick<FileTrial, "path" | "outputs" | "setAside"> => ({
    path: input.path,
    outputs: taking.outputs(),
    setAside: taking.setAside(),
  });
  try {
    const report = await pool.run(
      {
        jobId: "trial",
        attempt: 1,
        plugin: { name, version: "trial", artifactHash, sourceCode, folder, defaultOutput, process },
        python,
        inputPath: input.path,
        inputRoot: input.root,
        scratchDir,
        limits,
        grants,
        signal,
      },
      taking.handlers,
    );
    const failure = failureAtEnd(taking.finish, plugin);
    const { logs, peakMemoryBytes } = report;
    return { ...made(), failure, logs: logsOf(logs, plugin), timing: timingOf(report), peakMemoryBytes };
  } catch (error) {
    if (signal.aborted || !(error instanceof TerminalFailure || error instanceof TransientFailure)) throw error;
    const { logs = [], peakMemoryBytes = 0, seconds } = error.data as Partial<Omit<PluginReport, "outputs">>;
    const timing = seconds === undefined ? null : { total: seconds, plugin: null, transport: null, process: null };
    return { ...made(), failure: describeFailure(error, plugin), logs: logsOf(logs, plugin), timing, peakMemoryBytes };
  }
}

function failureAtEnd(finish: () => void, plugin: TrialPlugin): TrialFailure | null {
  try {
    finish();
    return null;
  } catch (error) {
    if (error instanceof TerminalFailure) return describeFailure(error, plugin);
    throw error;
  }
}

function logsOf(logs: readonly LogChunk[], plugin: TrialPlugin): FileTrial["logs"] {
  return logs.filter(({ stream }) => stream !== "traceback").map(({ stream, text }) => ({ stream, text: pointAt(text, plugin) }));
}

/** The plugin's side measures itself, so its account is held within the whole. */
function timingOf({ seconds, spent }: PluginReport): TrialTiming {
  if (spent === undefined) return { total: seconds, plugin: null, transport: null, process: null };
  const plugin = Math.min(spent.plugin, seconds);
  const transport = Math.min(spent.sending, seconds - plugin);
  return { total: seconds, plugin, transport, process: seconds - plugin - transport };
}
