import { readFileSync } from "node:fs";

/** The most memory that a process has had resident so far, bytes. */
export function peakMemoryOf(pid: number | string): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}
