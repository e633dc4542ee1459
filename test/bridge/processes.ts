import { readdirSync, readFileSync } from "node:fs";
import { expect, vi } from "vitest";
import { patience } from "../support/patience.ts";

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
function sleepsOf(pid: number): number | undefined {
  const sleeps = /^State:\s+S[^]*^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return sleeps === undefined ? undefined : Number(sleeps);
}

/** What of a process's memory is in use now; 0 where there is none of that number. */
export function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Until a process sleeps and has not run from one look to the next, as it would if anything of what it sends were read. */
export async function untilAsleep(name: string): Promise<void> {
  let last: number | undefined;
  await vi.waitFor(() => {
    const before = last;
    last = sleepsOf(processesNamed(name)[0] ?? 0);
    expect(last).toBeDefined();
    expect(last).toBe(before);
  }, patience);
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
