import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { messageOf, WrongUse } from "../domain/failure.ts";

export interface Lock {
  /** May be called again. */
  release(): void;
}

/**
 * Takes the lock that a file stands for, or returns undefined when somebody else still has it after `waitMs`.
 *
 * The lock is SQLite's exclusive lock on the file, so the operating system takes it back when the process ends, in whatever way: it can't go
 * stale, and whether the file exists says nothing.
 */
export async function takeLock(file: string, waitMs: number): Promise<Lock | undefined> {
  const deadline = Date.now() + waitMs;
  mkdirSync(dirname(file), { recursive: true });
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined || Date.now() >= deadline) return lock;
    await setTimeout(Math.min(50, Math.max(1, deadline - Date.now())));
  }
}

/** Whether somebody has the lock now. Looking at it keeps nobody from taking it for longer than a few microseconds. */
export function isLocked(file: string): boolean {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { readOnly: true });
  } catch {
    return false;
  }
  try {
    database.prepare("select count(*) from sqlite_schema").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

function tryLock(file: string): Lock | undefined {
  const database = open(file);
  try {
    database.exec("begin exclusive");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}

function open(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (error) {
    throw new WrongUse(`the lock file ${file} can't be opened: ${messageOf(error)}`, "Check that you may write into its folder");
  }
}

/** SQLITE_BUSY, the only trouble here that passes by itself. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
