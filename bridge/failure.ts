import { constants } from "node:os";
import { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import { dependencyLines } from "./dependencies.ts";
import type { LogChunk } from "./logs.ts";
import type { SentError } from "./received.ts";
import type { SandboxLack } from "./sandbox.ts";

/** How the plugin's process ended, as the warm parent saw it. */
export interface ProcessEnd {
  readonly code?: number | undefined;
  /** A signal's number. */
  readonly signal?: number | undefined;
  /** Ended because of what all that the plugin had started took together, or because somebody asked for it (`killed`). */
  readonly cause?: "memory" | "processes" | "files" | "scratch" | "killed" | null | undefined;
  readonly peakMemoryBytes?: number | undefined;
  /** The process could not be started, or nobody knows how it ended. */
  readonly failed?: string | undefined;
}

export interface PluginLimits {
  /** Of wall time that the plugin itself takes; the time that a sink takes is not counted. */
  readonly seconds: number;
  /** That the plugin may allocate beyond the interpreter and its libraries. */
  readonly memoryBytes: number;
  /** That may lie in its scratch folder. */
  readonly scratchBytes: number;
  /** Kept of each stream of text. Eight times as much ends the plugin. */
  readonly logBytes: number;
}

/** What is known of a job beside its failure; goes into the failure's `data`. */
export interface JobFacts {
  readonly name: string;
  readonly limits: PluginLimits;
  readonly logs: readonly LogChunk[];
  readonly peakMemoryBytes: number;
  readonly seconds: number;
}

/** Codes that the plugin's process may give; others are those that only this side can know. */
const sentCodes = [
  "PLUGIN_SYNTAX",
  "PLUGIN_NO_HANDLER",
  "PLUGIN_HANDLER_NOT_A_CLASS",
  "PLUGIN_IMPORT",
  "PLUGIN_RAISED",
  "PLUGIN_WRONG_TYPE",
  "PLUGIN_INVALID_OUTPUT",
  "PLUGIN_SCHEMA_CHANGED",
  "PLUGIN_MEMORY_LIMIT",
  "PLUGIN_SCRATCH_LIMIT",
  "PLUGIN_NOT_STARTED",
] as const;

const hints: Readonly<Record<(typeof sentCodes)[number], string>> = {
  PLUGIN_SYNTAX: "Correct the line and publish the plugin again.",
  PLUGIN_NO_HANDLER: "Define `class Handler:` with `def execute(self, file_path: str):` at the top level of the file.",
  PLUGIN_HANDLER_NOT_A_CLASS: "Define it as `class Handler:` with `def execute(self, file_path: str):`.",
  PLUGIN_IMPORT: "Correct the import, or declare a version of the package that has it (PEP 723).",
  PLUGIN_RAISED: "The traceback in the job's logs shows the line.",
  PLUGIN_WRONG_TYPE: "Yield a pyarrow Table, a pandas or polars DataFrame, or a list of dicts.",
  PLUGIN_INVALID_OUTPUT: "Rename the output or the column.",
  PLUGIN_SCHEMA_CHANGED:
    "Give every part the same columns and types: name the types when reading (dtype= in read_csv) or cast before yielding.",
  PLUGIN_MEMORY_LIMIT: "Yield the file in parts (chunksize= in read_csv), or raise plugin_memory_mb under [limits] in casparian.toml.",
  PLUGIN_SCRATCH_LIMIT: "Remove files that it needs no more, or raise plugin_scratch_mb under [limits] in casparian.toml.",
  PLUGIN_NOT_STARTED: "The traceback in the job's logs shows what this machine refused.",
};

/** A failure that the plugin's own side has described. */
export function sentFailure(sent: SentError, facts: JobFacts): TerminalFailure {
  const code = sentCodes.find((known) => known === sent.code) ?? "PLUGIN_RAISED";
  const hint = code === "PLUGIN_IMPORT" && sent.module !== undefined ? importHint(sent.module) : (sent.hint ?? hints[code]);
  const data = { ...dataOf(facts), ...(sent.traceback === undefined ? {} : { traceback: sent.traceback }) };
  return new TerminalFailure({ code, message: sent.message, hint, data });
}

/** A process that ended without saying that it was done. */
export function endFailure(end: ProcessEnd, facts: JobFacts): TerminalFailure | TransientFailure {
  if (end.failed !== undefined) {
    const message = `plugin ${facts.name} could not be started: ${end.failed}`;
    return new TransientFailure({ code: "PLUGIN_PARENT_LOST", message, data: dataOf(facts) });
  }
  if (end.cause === "memory" || diedOfMemory(end, facts)) return memoryFailure(facts);
  if (end.cause === "scratch") return scratchFailure(facts);
  if (end.cause === "processes" || end.cause === "files") return countFailure(end.cause, facts);
  if (end.signal !== undefined) {
    const signal = signalName(signalMeant(end.signal, facts));
    return new TerminalFailure({
      code: "PLUGIN_KILLED",
      message: `plugin ${facts.name} was ended by ${signal}`,
      hint: signal === "SIGKILL" ? "It ended itself, or this machine ran out of memory." : "The last lines of its stderr may show where.",
      data: { ...dataOf(facts), signal },
    });
  }
  return new TerminalFailure({
    code: "PLUGIN_EXITED",
    message: `plugin ${facts.name} exited with status ${end.code} before it was done`,
    hint: "Return from execute instead of calling sys.exit or os._exit; raise an exception to make the job fail.",
    data: { ...dataOf(facts), status: end.code },
  });
}

export function memoryFailure(facts: JobFacts): TerminalFailure {
  const message = `plugin ${facts.name} needs more memory than its limit of ${mebibytes(facts.limits.memoryBytes)} MiB`;
  return new TerminalFailure({ code: "PLUGIN_MEMORY_LIMIT", message, hint: hints.PLUGIN_MEMORY_LIMIT, data: dataOf(facts) });
}

function scratchFailure(facts: JobFacts): TerminalFailure {
  const message = `plugin ${facts.name} filled its working folder: ${mebibytes(facts.limits.scratchBytes)} MiB, 50,000 files and 100 folders in depth are the most`;
  return new TerminalFailure({ code: "PLUGIN_SCRATCH_LIMIT", message, hint: hints.PLUGIN_SCRATCH_LIMIT, data: dataOf(facts) });
}

/** As `python/casparian_bridge/watch.py` counts. */
function countFailure(cause: "processes" | "files", facts: JobFacts): TerminalFailure {
  const what = cause === "processes" ? "more than 64 processes or 512 threads" : "more than 4,096 files and sockets open";
  return new TerminalFailure({
    code: cause === "processes" ? "PLUGIN_PROCESS_LIMIT" : "PLUGIN_FILE_LIMIT",
    message: `plugin ${facts.name} had ${what} and was ended`,
    hint: "A plugin reads one file; do one thing after the other, and close what was read.",
    data: dataOf(facts),
  });
}

export function timeFailure(facts: JobFacts): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_TIME_LIMIT",
    message: `plugin ${facts.name} took longer than its limit of ${facts.limits.seconds} s and was ended`,
    hint: "See in the job's logs what it was doing, or raise plugin_seconds under [limits] in casparian.toml.",
    data: dataOf(facts),
  });
}

export function logFailure(stream: string, facts: JobFacts): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_LOG_LIMIT",
    message: `plugin ${facts.name} wrote more than ${mebibytes(facts.limits.logBytes * 8)} MiB to ${stream} and was ended`,
    hint: "Rows belong into what it yields. Write less, or raise log_bytes under [limits] in casparian.toml.",
    data: dataOf(facts),
  });
}

export function protocolFailure(what: string, facts: JobFacts): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_PROTOCOL",
    message: `plugin ${facts.name} broke the protocol of the data channel: ${what}`,
    hint: "A plugin only yields or publishes; it must not write to descriptors that it has not opened.",
    data: dataOf(facts),
  });
}

/** Where the settings require all of the sandbox. */
export function sandboxIncomplete(name: string, lacks: readonly SandboxLack[]): TerminalFailure {
  return new TerminalFailure({
    code: "SANDBOX_INCOMPLETE",
    message: `plugin ${name} was not run, because sandbox = "require" and this machine's kernel lacks a wall: ${lacks.map(({ message }) => message).join("; ")}`,
    hint: `${[...new Set(lacks.map(({ remedy }) => remedy))].join("\n")}\nor, with what is lacking, sandbox = "on" under [plugins] in casparian.toml; then retry the job`,
  });
}

export function parentLost(name: string, last: string, facts?: JobFacts): TransientFailure {
  const message = `the Python process that runs plugin ${name} has ended unexpectedly${last === "" ? "" : `: ${last}`}`;
  return new TransientFailure({ code: "PLUGIN_PARENT_LOST", message, data: facts === undefined ? {} : dataOf(facts) });
}

function dataOf({ logs, peakMemoryBytes, seconds }: JobFacts): Readonly<Record<string, unknown>> {
  return { logs, peakMemoryBytes, seconds };
}

function importHint(module: string): string {
  return `Declare its package at the top of the plugin and publish it again:\n${dependencyLines([module])}`;
}

/** C++ and Rust end the process when they get no memory, and say so on stderr. */
function diedOfMemory(end: ProcessEnd, { logs }: JobFacts): boolean {
  if (end.signal !== constants.signals.SIGABRT && end.signal !== constants.signals.SIGSEGV) return false;
  return /bad_alloc|memory allocation of \d+ bytes failed|[Cc]annot allocate memory|[Oo]ut of memory/.test(lastStderr(logs));
}

/**
 * The plugin's process is number 1 of its namespace, which the kernel keeps from sending itself deadly signals: SIGKILL becomes SIGSYS by
 * the sandbox's filter, and abort() goes on to its last resort, SIGSEGV.
 */
function signalMeant(signal: number, { logs }: JobFacts): number {
  const { SIGABRT, SIGKILL, SIGSEGV, SIGSYS } = constants.signals;
  if (signal === SIGSYS) return SIGKILL;
  return signal === SIGSEGV && lastStderr(logs).includes("Fatal Python error: Aborted") ? SIGABRT : signal;
}

function lastStderr(logs: readonly LogChunk[]): string {
  return logs.findLast((chunk) => chunk.stream === "stderr")?.text.slice(-8192) ?? "";
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / (1024 * 1024)) * 10) / 10;
}
