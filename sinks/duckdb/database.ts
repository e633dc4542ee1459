import { randomBytes } from "node:crypto";
import { access, link, mkdir, realpath, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onFiles, systemCode } from "../files/refusal.ts";
import { syncFolders } from "../files/staging.ts";
import { openEngine, scratchOf, type Engine, type EngineOptions } from "./engine.ts";
import { isLocked, onDuckdb } from "./refusal.ts";

/** A database file that results go to. */
export interface Database {
  readonly path: string;
  /** How long a file that another process has open is waited for. */
  readonly lockMsMax: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

export type Use = Pick<EngineOptions, "access" | "scratch">;

/**
 * DuckDB lets one process write a file, or several read it, and tells processes apart by locks of the operating system. Within a process such
 * locks don't tell one from another, and closing a file once gives up all of them: so here one after the other uses it.
 */
const lines = new Map<string, Promise<unknown>>();

/**
 * Opens a database that is there, for as long as `work` takes. Throws what DuckDB refuses as our failures, TransientFailure SINK_UNREACHABLE
 * where others have it open for too long.
 */
export async function withDatabase<T>(
  { path, lockMsMax, signal }: Database,
  doing: string,
  { access: how, scratch }: Use,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const real = await onFiles(`${path}: ${doing}`, () => realpath(path));
  return inLine(real, () =>
    onDuckdb(`${path}: ${doing}`, async () => {
      const engine = await openUnlocked({ path: real, access: how, scratch }, lockMsMax, signal);
      try {
        return await work(engine);
      } finally {
        engine.close();
      }
    }),
  );
}

/** Whether anything is at the path. */
export function isThere({ path }: Pick<Database, "path">): Promise<boolean> {
  return onFiles(`${path} can't be read`, () =>
    access(path).then(
      () => true,
      (error: unknown) => {
        if (systemCode(error) === "ENOENT") return false;
        throw error;
      },
    ),
  );
}

/**
 * Makes an empty database where there is none, and its folder. It gets its name when it is whole: one that a killed process had left half made
 * would be refused for ever. It grows beside the staging file for which it is made, under a name that is swept like that one.
 */
export async function ensureDatabase(database: Database, staged: string): Promise<void> {
  const { path } = database;
  if (await isThere(database)) return;
  const made = staged.replace(/(?=\.staged$)/, `.${randomBytes(4).toString("hex")}`);
  const doing = `${path} can't be made`;
  await onDuckdb(doing, async () => {
    const engine = await openEngine({ path: made, access: "write", scratch: scratchOf(made) });
    await engine.connection.run("checkpoint").finally(() => engine.close());
  });
  await onFiles(doing, async () => {
    await mkdir(dirname(path), { recursive: true });
    await link(made, path).catch(async (error: unknown) => {
      if (systemCode(error) === "EEXIST") return;
      // File systems without hard links, where a rename would replace what another has just made.
      if (!(await isThere(database))) await rename(made, path);
    });
    await unlink(made).catch(() => {});
    await syncFolders(dirname(path), dirname(path));
  });
}

async function inLine<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = lines.get(path) ?? Promise.resolve();
  const own = before.then(work, work);
  lines.set(path, own);
  try {
    return await own;
  } finally {
    if (lines.get(path) === own) lines.delete(path);
  }
}

/** When a file was last waited for in vain. */
const foundLocked = new Map<string, number>();
/**
 * For so long such a file is tried, and not waited for again. A commit holds a connection to the record, and one file that somebody keeps open must
 * not take all of them.
 */
const impatientMs = 30_000;

/** Waits of changing length, so that those who wait don't always come together. */
async function openUnlocked(options: EngineOptions, lockMsMax: number, signal?: AbortSignal): Promise<Engine> {
  const { path } = options;
  const begin = performance.now();
  const isImpatient = begin - (foundLocked.get(path) ?? -Infinity) < impatientMs;
  for (const end = begin + (isImpatient ? 0 : lockMsMax); ;) {
    try {
      const engine = await openEngine(options);
      foundLocked.delete(path);
      return engine;
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (performance.now() >= end) {
        if (!isImpatient && lockMsMax > 0) foundLocked.set(path, performance.now());
        throw error;
      }
      await sleep(5 + Math.random() * 45, undefined, { signal });
    }
  }
}
