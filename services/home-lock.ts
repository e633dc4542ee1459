import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { WrongUse } from "../domain/failure.ts";
import { isLocked, takeLock, type Lock } from "./lock.ts";

export interface HomeLockOptions {
  /** What a person typed, for whoever finds the home taken: `casparian start`. */
  readonly command?: string;
  /** This program has the home for a short command, so that others wait for it. */
  readonly brief?: boolean;
  /** How long whoever has the home is waited for; 0 unless given. */
  readonly waitMs?: number;
  /** How long a brief command is; as long as `waitMs` unless given. */
  readonly briefWaitMs?: number;
}

/**
 * Makes this process the only one that runs services in a home, until `release` or its end in whatever way.
 * Throws WrongUse that says who runs there.
 */
export async function holdHome(stateDir: string, options: HomeLockOptions = {}): Promise<Lock> {
  mkdirSync(stateDir, { recursive: true });
  // Somebody who only looks has the lock for microseconds, which must not make a start fail.
  const waitMs = Math.max(200, options.waitMs ?? 0);
  let lock = await takeLock(lockFile(stateDir), waitMs);
  const deadline = Date.now() + (options.briefWaitMs ?? 0) - waitMs;
  while (lock === undefined && Date.now() < deadline && readHolder(stateDir)?.brief === true)
    lock = await takeLock(lockFile(stateDir), 200);
  if (lock === undefined) throw taken(stateDir);
  // What a killed program left there would now look valid.
  rmSync(runFileOf(stateDir), { force: true });
  const { command = "casparian", brief = false } = options;
  const holder: Holder = { pid: process.pid, command, since: new Date().toISOString(), brief };
  writeFileSync(holderFile(stateDir), `${JSON.stringify(holder)}\n`);
  return lock;
}

/** Whether a process runs services in this home now. */
export function isHomeHeld(stateDir: string): boolean {
  return isLocked(lockFile(stateDir));
}

const holderShape = z.object({ pid: z.int(), command: z.string(), since: z.iso.datetime(), brief: z.boolean().optional() });
type Holder = z.infer<typeof holderShape>;

function taken(stateDir: string): WrongUse {
  const holder = readHolder(stateDir);
  if (holder === undefined)
    return new WrongUse(`Casparian runs in this folder already: ${stateDir}`, "Wait until it has ended, or use another folder: --home DIR");
  return new WrongUse(
    `Casparian runs in this folder already: \`${holder.command}\`, process ${holder.pid}, since ${holder.since} (${stateDir})`,
    `Use that one, end it with: kill ${holder.pid}, or use another folder: --home DIR`,
  );
}

function readHolder(stateDir: string): Holder | undefined {
  try {
    return holderShape.parse(JSON.parse(readFileSync(holderFile(stateDir), "utf8")));
  } catch {
    return undefined;
  }
}

function lockFile(stateDir: string): string {
  return join(stateDir, "lock.db");
}

function holderFile(stateDir: string): string {
  return join(stateDir, "lock.json");
}

/** Here, because taking the lock makes what is in it void. */
export function runFileOf(stateDir: string): string {
  return join(stateDir, "run.json");
}
