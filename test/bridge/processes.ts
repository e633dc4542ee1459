import { readdirSync, readFileSync } from "node:fs";

/** Numbers of the processes that are called so; a process that has ended and was not waited for does not count. */
export function processesNamed(name: string): readonly number[] {
  return processes().filter((pid) => read(`/proc/${pid}/comm`).trim() === name && isAlive(pid));
}

/** All that a process has started, and what those have started. */
export function descendantsOf(pid: number): readonly number[] {
  const children = processes().filter((other) => parentOf(other) === pid);
  return [...children, ...children.flatMap(descendantsOf)];
}

export function isAlive(pid: number): boolean {
  const state = /^State:\s+(\S)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** How often a process has gone to sleep, if it sleeps now. */
export function sleepsOf(pid: number): number | undefined {
  const sleeps = /^State:\s+S[^]*^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return sleeps === undefined ? undefined : Number(sleeps);
}

function processes(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function parentOf(pid: number): number | undefined {
  const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
