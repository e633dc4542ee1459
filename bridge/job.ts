import { noGrants, type PluginGrants } from "../domain/plugin-grant.ts";
import type { PluginEnvironment, PluginFolder, PluginProcess } from "../domain/plugin.ts";
import { createClock } from "./clock.ts";
import type { PluginLimits, ProcessEnd } from "./failure.ts";
import { endFailure, type JobFacts, logFailure, parentLost, protocolFailure, sentFailure, timeFailure } from "./failure.ts";
import { BrokenProtocol, type Frame, readFrames } from "./frames.ts";
import { createLogCollector, type LogChunk, type LogCollector, type TextStream } from "./logs.ts";
import type { Parent } from "./parent.ts";
import { createReceived, type PluginHandlers, type PluginSeconds, type Received } from "./received.ts";
import type { ByteSource, Transport } from "./transport/transport.ts";

/** One attempt to run one plugin on one file. */
export interface PluginRun {
  readonly jobId: string;
  readonly attempt: number;
  readonly plugin: {
    readonly name: string;
    readonly version: string;
    readonly artifactHash: string;
    readonly sourceCode: string;
    readonly folder?: PluginFolder | null | undefined;
    /** The output's name for what is yielded without one. */
    readonly defaultOutput: string;
    /** `fresh`: an interpreter of its own for each file; otherwise a fork of a warm parent, where this system has forks that serve. */
    readonly process?: PluginProcess | undefined;
  };
  /** The interpreter of the built environment. */
  readonly python: string;
  /** For who runs it elsewhere: the environment to build there, and the SHA-256 of the input's bytes. */
  readonly environment?: PluginEnvironment | undefined;
  readonly contentHash?: string | undefined;
  readonly inputPath: string;
  /**
   * The folder below which this plugin's inputs lie, such as its source's root; the input's own folder unless given. The process that loads
   * the plugin's libraries can read it, the plugin's own process only the input. A new root costs a new warm parent.
   */
  readonly inputRoot?: string | undefined;
  /** What an operator lets it reach beyond its sandbox; nothing unless given. */
  readonly grants?: PluginGrants | undefined;
  /** Made for the run, in a folder of its plugin's beside this path, and removed after it. */
  readonly scratchDir: string;
  readonly limits: PluginLimits;
  readonly signal: AbortSignal;
}

export interface PluginReport {
  /** As the plugin's side counted, which equals what came. In the order in which they were opened. */
  readonly outputs: readonly { readonly output: string; readonly rowsSent: number }[];
  readonly logs: readonly LogChunk[];
  readonly peakMemoryBytes: number;
  readonly seconds: number;
  /** Of these, by the account of the plugin's side. */
  readonly spent?: PluginSeconds | undefined;
}

/** Why this side ended the plugin's process. */
type Cause =
  | { readonly kind: "aborted" | "time" }
  | { readonly kind: "logs"; readonly stream: TextStream }
  | { readonly kind: "failed"; readonly error: unknown };

/** Longer ones can't be taken by sinks either. */
export const frameBytesMax = 256 * 1024 * 1024;
const logBytesFactorMax = 8;
/** After the processes have ended, the streams end at once, unless something outside of them holds a descriptor. */
const drainMsMax = 10_000;
const obeyMsMax = 10_000;

/**
 * Runs the plugin in a fork of the parent. Resolves, or rejects, when no process of the job is left.
 * Rejects with the failures of `failure.ts`, with what a handler threw, or with the signal's reason.
 */
export async function runJob(parent: Parent, transport: Transport, run: PluginRun, handlers: PluginHandlers): Promise<PluginReport> {
  const began = performance.now();
  const logs = createLogCollector(run.limits.logBytes);
  const notices = noticesOf(parent);
  const clock = createClock(handlers);
  const received = createReceived(clock.handlers);
  const job = parent.start({
    inputPath: run.inputPath,
    readFolders: (run.grants ?? noGrants).read,
    scratch: run.scratchDir,
    memoryBytes: run.limits.memoryBytes,
    scratchBytes: run.limits.scratchBytes,
  });

  let cause: Cause | undefined;
  let insist: NodeJS.Timeout | undefined;
  const stopped = Promise.withResolvers<void>();
  const stop = (why: Cause) => {
    cause ??= why;
    job.kill();
    stopped.resolve();
    // A parent that does not obey goes itself, with all that it has forked.
    insist ??= setTimeout(() => void parent.close(), obeyMsMax).unref();
  };
  const data = transport.connectBytes(parent.socketPath, job.token);
  const texts = (["stdout", "stderr", "log"] as const).map((stream) =>
    transport.connectText(parent.socketPath, job.token, stream, (bytes) => addText(logs, stream, bytes, run.limits, stop)),
  );
  const onAbort = () => stop({ kind: "aborted" });
  run.signal.addEventListener("abort", onAbort);
  if (run.signal.aborted) onAbort();
  const timer = clock.limit(run.limits.seconds, () => stop({ kind: "time" }));
  let end: ProcessEnd | undefined;
  try {
    const frames = takeFrames(data, received).catch((error: unknown) => stop({ kind: "failed", error }));
    end = await job.end;
    timer.clear();
    // A handler that still works on the last frame is waited for only while the job may yet succeed.
    const drained = Promise.all([Promise.race([frames, stopped.promise]), ...texts]);
    await Promise.race([drained, expire(drainMsMax, clock.busy)]);
  } finally {
    timer.clear();
    clearTimeout(insist);
    run.signal.removeEventListener("abort", onAbort);
    data.destroy();
  }
  const seconds = (performance.now() - began) / 1000;
  const facts: JobFacts = {
    name: run.plugin.name,
    limits: run.limits,
    logs: [...notices, ...logs.chunks(), ...tracebackOf(received)],
    peakMemoryBytes: end?.peakMemoryBytes ?? 0,
    seconds,
  };
  const failure = failureOf(cause, end, received, facts, parent, run.signal);
  if (failure !== undefined) throw failure.error;
  const { logs: said, peakMemoryBytes } = facts;
  return { outputs: received.outputs(), logs: said, peakMemoryBytes, seconds, spent: received.seconds() };
}

/** What somebody who reads the job's log should know of how it was run. */
function noticesOf({ lacks, cold }: Parent): readonly LogChunk[] {
  const lines = [...lacks.map(({ message }) => `sandbox: ${message}`), ...(cold === undefined ? [] : [`process: ${cold}`])];
  return lines.map((line) => ({ stream: "notice", at: new Date(), text: `${line}\n` }));
}

async function takeFrames(data: ByteSource, received: Received): Promise<void> {
  await readFrames(data, frameBytesMax, (frame: Frame) => received.take(frame));
}

function addText(logs: LogCollector, stream: TextStream, bytes: Buffer, limits: PluginLimits, stop: (cause: Cause) => void): void {
  logs.add(stream, bytes);
  if (logs.bytesOf(stream) > limits.logBytes * logBytesFactorMax) stop({ kind: "logs", stream });
}

/** What to throw, in the order of what explains the rest. */
function failureOf(
  cause: Cause | undefined,
  end: ProcessEnd | undefined,
  received: Received,
  facts: JobFacts,
  parent: Parent,
  signal: AbortSignal,
): { readonly error: unknown } | undefined {
  if (cause?.kind === "aborted") return { error: signal.reason };
  if (cause?.kind === "time") return { error: timeFailure(facts) };
  if (cause?.kind === "logs") return { error: logFailure(cause.stream, facts) };
  if (cause?.kind === "failed" && !(cause.error instanceof BrokenProtocol)) return { error: cause.error };
  if (end === undefined) return { error: parentLost(facts.name, parent.lastWords(), facts) };
  // A process that was ended in the middle of a frame has broken nothing.
  const endedBadly = end.signal !== undefined || isExcess(end) || end.failed !== undefined;
  if (cause?.kind === "failed" && !(endedBadly && end.cause !== "killed")) return { error: protocolFailure(wordsOf(cause.error), facts) };
  const sent = received.error();
  if (sent !== undefined) return { error: sentFailure(sent, facts) };
  if (received.ended() && end.code === 0) return undefined;
  return { error: endFailure(end, facts) };
}

function isExcess({ cause }: ProcessEnd): boolean {
  return cause !== undefined && cause !== null && cause !== "killed";
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function tracebackOf(received: Received): readonly LogChunk[] {
  const text = received.error()?.traceback;
  return text === undefined || text === "" ? [] : [{ stream: "traceback", at: new Date(), text }];
}

/** Resolves after that time in which nothing was going on. */
async function expire(ms: number, busy: () => boolean): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, ms).unref());
  while (busy());
}
