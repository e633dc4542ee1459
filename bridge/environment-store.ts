import { lstat, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { takeBuildLock } from "./build-lock.ts";
import { pathsBelow } from "./environment-files.ts";
import { isUsed, marker, removedPrefix, removeEnvironment, useFile } from "./environment-use.ts";

/** A folder among this host's environments. */
export interface BuiltEnvironment {
  readonly folder: string;
  /** Null where it is not whole: a build that was killed, or one that goes on. */
  readonly hash: string | null;
  /** The minor version that it was built with, such as `3.11`. */
  readonly python: string | null;
  /** Of its files, each counted once though uv may share them with its cache. */
  readonly bytes: number;
  readonly builtAt: Date | null;
  /** When a job last began or ended in it; when it was built where none has. */
  readonly usedAt: Date;
  readonly inUse: boolean;
}

/** Where the environments of a home are. */
export function environmentRoot(stateDir: string): string {
  return join(stateDir, "environments");
}

/** Between the look whether an environment is there and its use by a job something may pass. */
const graceMs = 10 * 60_000;

/** The environments of this host, the least recently used first. */
export async function listEnvironments(root: string): Promise<readonly BuiltEnvironment[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(removedPrefix));
  const found = await Promise.all(folders.map(({ name }) => describe(join(root, name))));
  return found.filter((environment) => environment !== null).toSorted((a, b) => a.usedAt.getTime() - b.usedAt.getTime());
}

/** Null where it has gone meanwhile. */
async function describe(folder: string): Promise<BuiltEnvironment | null> {
  const own = await stat(folder).catch(() => null);
  if (own === null) return null;
  const told = await readMarker(folder);
  const used = await stat(useFile(folder)).catch(() => null);
  return {
    folder,
    hash: told?.hash ?? null,
    python: /-py(\d+\.\d+)-/.exec(basename(folder))?.[1] ?? null,
    bytes: told?.bytes ?? (await sizeOf(folder)),
    builtAt: told?.builtAt ?? null,
    usedAt: used?.mtime ?? told?.builtAt ?? own.mtime,
    inUse: isUsed(folder),
  };
}

interface Marker {
  readonly hash: string;
  readonly builtAt: Date;
  readonly bytes: number | null;
}

async function readMarker(folder: string): Promise<Marker | null> {
  try {
    const told = JSON.parse(await readFile(join(folder, marker), "utf8")) as { hash: string; builtAt: string; bytes?: number };
    return { hash: told.hash, builtAt: new Date(told.builtAt), bytes: told.bytes ?? null };
  } catch {
    return null;
  }
}

/** Bytes of all files below a folder. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await pathsBelow(folder)).map((path) =>
      lstat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

export interface EnvironmentPrune {
  readonly root: string;
  /** Which ones may go, of those that nobody uses now and nobody has used within ten minutes. */
  readonly may: (environment: BuiltEnvironment) => boolean;
  /** Stops when the others have no more bytes than this; undefined removes all that may go. */
  readonly bytesMax?: number | undefined;
  readonly dryRun?: boolean;
  readonly signal: AbortSignal;
}

/** Removes environments, the least recently used first, and what earlier removals and builds have left. Returns those that went, or would. */
export async function pruneEnvironments(prune: EnvironmentPrune): Promise<readonly BuiltEnvironment[]> {
  const lock = await takeBuildLock(join(prune.root, "build.lock"), prune.signal);
  try {
    return await pruneLocked(prune);
  } finally {
    lock.release();
  }
}

/** The same for who holds the build lock. */
export async function pruneLocked({ root, may, bytesMax, dryRun = false, signal }: EnvironmentPrune): Promise<readonly BuiltEnvironment[]> {
  if (!dryRun) await sweep(root);
  const all = await listEnvironments(root);
  let total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  const gone: BuiltEnvironment[] = [];
  for (const environment of all) {
    signal.throwIfAborted();
    if (bytesMax !== undefined && total <= bytesMax) break;
    if (!isIdle(environment) || !may(environment)) continue;
    if (!dryRun && !(await removeEnvironment(environment.folder))) continue;
    total -= environment.bytes;
    gone.push(environment);
  }
  return gone;
}

/** Nothing builds while the build lock is held, so a folder that is not whole is idle whenever it was made. */
function isIdle({ inUse, usedAt, hash }: BuiltEnvironment): boolean {
  return !inUse && (hash === null || Date.now() - usedAt.getTime() > graceMs);
}

async function sweep(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  await Promise.all(
    names.filter((name) => name.startsWith(removedPrefix)).map((name) => rm(join(root, name), { recursive: true, force: true })),
  );
}
