import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../domain/system-error.ts";

/**
 * A folder of copies, each under the SHA-256 of its content: `ab/cdef…`, so that equal contents share one. A copy is written under
 * another name, synced, and renamed; it is readable for its owner only, and nobody writes to it.
 */
export interface SnapshotStore {
  readonly folder: string;
  /** Names the store in the record; it lies in the folder, so it moves with it. */
  readonly id: string;
}

/** The store below a state folder, which is made where there is none. Several programs may do so at once. */
export async function openStore(stateDir: string): Promise<SnapshotStore> {
  const present = await findStore(stateDir);
  if (present !== null) return present;
  const folder = folderOf(stateDir);
  await mkdir(incomingFolder(folder), { recursive: true, mode: 0o700 });
  const written = join(incomingFolder(folder), randomUUID());
  await writeFile(written, `${randomUUID()}\n`, { flush: true });
  // The first one wins, with a file that is whole.
  await link(written, idFile(folder)).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
  });
  await rm(written);
  return { folder, id: await readId(folder) };
}

/** The store below a state folder; null where nothing was ever kept. */
export async function findStore(stateDir: string): Promise<SnapshotStore | null> {
  const folder = folderOf(stateDir);
  try {
    return { folder, id: await readId(folder) };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** Where the copy of a content is, if there is one. */
export function snapshotPath(folder: string, contentHash: string): string {
  return join(folder, contentHash.slice(0, 2), contentHash.slice(2));
}

/** Where copies are made. */
export function incomingFolder(folder: string): string {
  return join(folder, "incoming");
}

/** Where copies are shown to plugins, under the names of their files; within the store, so that they can be hard links. */
export function viewsFolder({ folder }: SnapshotStore): string {
  return join(folder, "views");
}

function folderOf(stateDir: string): string {
  return join(stateDir, "snapshots");
}

function idFile(folder: string): string {
  return join(folder, "id");
}

async function readId(folder: string): Promise<string> {
  return (await readFile(idFile(folder), "utf8")).trim();
}
