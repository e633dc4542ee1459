import type { PluginGrants } from "../../domain/plugin-grant.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import type { PluginEnvironment } from "../../domain/plugin.ts";
import type { PluginLimits } from "../failure.ts";
import type { PluginReport, PluginRun } from "../job.ts";

/**
 * What a worker and a runner say to each other: messages of ZeroMQ of three parts, the kind, the job's key, and what is told, JSON or bytes.
 *
 * runner → worker: hello, proof, beat, data, want, done
 * worker → runner: challenge, welcome, beat, job, file, filed, grant, cancel
 */
export const kinds = {
  hello: "hello",
  challenge: "challenge",
  proof: "proof",
  welcome: "welcome",
  beat: "beat",
  /** A job with all that it needs but its file. */
  job: "job",
  /** A piece of the file, its end, and how many more pieces may be sent. */
  file: "file",
  filed: "filed",
  want: "want",
  /** A piece of the stream of frames, and how many more may be sent. */
  data: "data",
  grant: "grant",
  cancel: "cancel",
  /** The end of a job; nothing of it runs any more. */
  done: "done",
} as const;

/** Of the file and of frames. */
export const pieceBytesMax = 256 * 1024;
/** Pieces that may be under way for one job, in each direction; half as many are granted at a time. */
export const window = 16;
/** The longest of other messages: code, lock, what a plugin has printed. */
export const messageBytesMax = 64 * 1024 * 1024;
/** How often both sides say that they are there, and after how long a silence the other is given up. Milliseconds. */
export const beatMs = 1_000;
export const silenceMsMax = 10_000;

export interface Hello {
  readonly publicKey: string;
  /** How many plugins it runs at once. */
  readonly slots: number;
  readonly host: string;
}

export interface JobSpec {
  readonly jobId: string;
  readonly attempt: number;
  readonly plugin: PluginRun["plugin"];
  readonly environment: PluginEnvironment;
  /** Of the file: its folders below the source's root and its name; plugins read dates from them. */
  readonly inputSegments: readonly string[];
  readonly contentHash: string;
  readonly limits: PluginLimits;
  /** Of the runner's machine: its folders, and hosts as it reaches them. */
  readonly grants?: PluginGrants | undefined;
}

/** How a job ended. */
export type Done = { readonly report: Omit<PluginReport, "outputs"> } | { readonly failure: SentFailure };

interface SentFailure {
  readonly terminal: boolean;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

export function encode(told: unknown): Buffer {
  return Buffer.from(JSON.stringify(told));
}

export function decode(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** What another process can be told of it; anything that is not one of our failures may pass by itself. */
export function sendFailure(error: unknown): SentFailure {
  if (error instanceof TerminalFailure || error instanceof TransientFailure) {
    const { code, message, hint, data } = error;
    return { terminal: error instanceof TerminalFailure, code, message, hint, data };
  }
  return { terminal: false, code: "RUNNER_FAILED", message: error instanceof Error ? error.message : String(error), data: {} };
}

export function receiveFailure({ terminal, code, message, hint, data }: SentFailure): TerminalFailure | TransientFailure {
  const options = { code, message, data: receiveDates(data), ...(hint === undefined ? {} : { hint }) };
  return terminal ? new TerminalFailure(options) : new TransientFailure(options);
}

/** Times of log lines are texts on the way. */
export function receiveDates<T extends Readonly<Record<string, unknown>>>(told: T): T {
  const logs = told["logs"];
  if (!Array.isArray(logs)) return told;
  return { ...told, logs: (logs as { at: string }[]).map((chunk) => ({ ...chunk, at: new Date(chunk.at) })) };
}
