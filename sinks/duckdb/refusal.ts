import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";

/**
 * Runs `work` with DuckDB; what it refuses becomes SINK_REFUSED or, where trying again may help, SINK_UNREACHABLE, in its own words. `doing`
 * begins the message: `lake.duckdb: main.trades can't be written`.
 */
export async function onDuckdb<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asSinkFailure(doing, error);
  }
}

export function asSinkFailure(doing: string, error: unknown): unknown {
  if (error instanceof TerminalFailure || error instanceof TransientFailure) return error;
  const words = messageOf(error).trim();
  if (!isDuckdbs(words)) return error;
  const detail = { message: `${doing}: ${words}`, cause: error };
  if (isLocked(error))
    return new TransientFailure({
      ...detail,
      code: "SINK_UNREACHABLE",
      hint: "Another program has the file open: the message names its process. Close it; the job tries again",
    });
  if (/Input\/output error|Stale file handle|Resource temporarily|Too many open files|timed out/i.test(words))
    return new TransientFailure({ ...detail, code: "SINK_UNREACHABLE" });
  return new TerminalFailure({ ...detail, code: "SINK_REFUSED", hint: hints.find(([pattern]) => pattern.test(words))?.[1] ?? lastHint });
}

/** Whether another process has the file open. */
export function isLocked(error: unknown): boolean {
  return messageOf(error).startsWith("IO Error: Could not set lock on file");
}

/** `Conversion Error: …`, as most of its messages begin, or `Failed to append: …`. */
function isDuckdbs(words: string): boolean {
  return /^([A-Z][A-Za-z -]* (Error|Exception)|Failed to [a-z ]+): /.test(words) || /^(FATAL|INTERNAL) Error/.test(words);
}

const lastHint = "Correct the database or what the plugin yields, then retry the job";

const hints: readonly (readonly [RegExp, string])[] = [
  [/No space left|Disk quota/i, "Free room on the disk, then retry the job"],
  [/Permission denied|not permitted/i, "Give the worker's user the right to write there, then retry the job"],
  [/Read-only file system/i, "The file system is mounted read-only: mount it writable or choose another folder"],
  [/not a valid DuckDB database file/, "Another file has that name: move it away, or name another file in the topic's URI"],
  [/^Out of Memory Error/, "A value or a row is too large for the memory that DuckDB is given: yield smaller ones"],
];
