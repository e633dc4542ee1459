import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";

/** What the operating system says when trying again may help: a lost network share, exhausted handles, an interrupted call. */
const passing = new Set([
  "EIO",
  "ESTALE",
  "ETIMEDOUT",
  "ENOTCONN",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EBUSY",
  "EAGAIN",
  "EINTR",
  "EMFILE",
  "ENFILE",
]);

/** Runs `work` on files; what the system refuses becomes SINK_REFUSED or, where it may pass, SINK_UNREACHABLE, in its own words. */
export async function onFiles<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (passing.has(code))
      throw new TransientFailure({
        code: "SINK_UNREACHABLE",
        message: `${doing}: ${messageOf(error)}`,
        data: { systemCode: code },
        cause: error,
      });
    throw new TerminalFailure({
      code: "SINK_REFUSED",
      message: `${doing}: ${messageOf(error)}`,
      hint: hints[code] ?? "Correct the output's folder, then retry the job",
      data: { systemCode: code },
      cause: error,
    });
  }
}

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "Free room on the disk, then retry the job",
  EDQUOT: "Free room or raise the quota, then retry the job",
  EACCES: "Give the worker's user the right to write there, then retry the job",
  EPERM: "Give the worker's user the right to write there, then retry the job",
  EROFS: "The file system is mounted read-only: mount it writable or choose another folder",
  ENOTDIR: "A part of the path is a file: choose another folder",
};

/** The code of an error of the operating system, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Of a file or folder that may be gone: undefined where it is, and any other failure again. */
export function unlessGone(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
  return undefined;
}

/** The same where a folder above it may have become a file. */
export function unlessAbsent(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
  return undefined;
}
