import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A runner as the worker sees it. */
export interface ConnectedRunner {
  readonly name: string;
  readonly host: string;
  readonly publicKey: string;
  readonly slots: number;
  readonly running: number;
}

/** Tells other commands of this home who is connected to its worker. */
export function tellConnected(stateDir: string, connected: readonly ConnectedRunner[] | null): void {
  if (connected === null) rmSync(fileOf(stateDir), { force: true });
  else writeFileSync(fileOf(stateDir), JSON.stringify({ pid: process.pid, connected }));
}

/** Who is connected to the worker that runs in this home; nobody where none listens. */
export function readConnected(stateDir: string): readonly ConnectedRunner[] {
  try {
    const { pid, connected } = JSON.parse(readFileSync(fileOf(stateDir), "utf8")) as { pid: number; connected: ConnectedRunner[] };
    process.kill(pid, 0);
    return connected;
  } catch {
    // No file, half of one, or one that a worker that was killed has left.
    return [];
  }
}

function fileOf(stateDir: string): string {
  return join(stateDir, "runners.json");
}
