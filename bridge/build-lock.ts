import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";

const pollMs = 100;

/**
 * Waits until no other process, and nobody else in this one, holds the lock on the file, and takes it. Rejects with the signal's reason.
 * It is SQLite's exclusive lock, so the operating system takes it back when the process ends in whatever way.
 */
export async function takeBuildLock(file: string, signal: AbortSignal): Promise<{ release(): void }> {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  try {
    while (!tryLock(database)) await setTimeout(pollMs, undefined, { signal });
  } catch (error) {
    database.close();
    signal.throwIfAborted();
    throw error;
  }
  return { release: () => database.close() };
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec("begin exclusive");
    return true;
  } catch (error) {
    // SQLITE_BUSY, the only trouble here that passes by itself.
    if (error instanceof Error && "errcode" in error && error.errcode === 5) return false;
    throw error;
  }
}
