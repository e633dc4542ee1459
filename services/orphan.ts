import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { StopStep } from "./process.ts";

/**
 * When a process began, as an opaque text that no other process of this machine ever has together with the same pid;
 * undefined when there is no such process, or only its unreaped remains.
 */
export function startOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (process.platform !== "linux") return psOf(pid, "lstart=")?.trim();
  const stat = readProc(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may hold anything; the third is the state, the 22nd the start in ticks since boot.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  const [state, ticks] = [fields[0], fields[19]];
  if (state === undefined || ticks === undefined || state === "X") return undefined;
  // A killed process shows as a zombie as soon as its first thread has ended; its files and ports are held until the last one has.
  if (state === "Z" && threadsOf(pid) <= 1) return undefined;
  return `${readProc("/proc/sys/kernel/random/boot_id")?.trim()}:${ticks}`;
}

/** A process's command line; undefined when there is no such process or it may not be seen. */
export function commandOf(pid: number): string | undefined {
  if (process.platform !== "linux") return psOf(pid, "command=");
  return readProc(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ");
}

/** Stops a process that isn't our child; resolves when it is gone. Safe against a pid that is given to another process meanwhile. */
export async function stopOrphan(pid: number, stopping: readonly StopStep[]): Promise<void> {
  const start = startOf(pid);
  const running = (): boolean => start !== undefined && startOf(pid) === start;
  for (const { signal, waitMs } of stopping) {
    if (!running()) return;
    signalIfThere(pid, signal);
    const deadline = Date.now() + waitMs;
    while (running() && Date.now() < deadline) await setTimeout(20);
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function psOf(pid: number, column: string): string | undefined {
  try {
    const text = execFileSync("ps", ["-ww", "-o", column, "-p", String(pid)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.trim() === "" ? undefined : text;
  } catch {
    return undefined;
  }
}
