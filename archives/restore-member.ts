import { rm } from "node:fs/promises";
import { memberNameOf } from "../domain/archive.ts";
import type { ArchiveOfMember, FileVersion } from "../domain/file-version.ts";
import { isGone } from "../domain/system-error.ts";
import { corruptCopy } from "../snapshots/content.ts";
import { snapshotPath, type SnapshotStore } from "../snapshots/store.ts";
import { copyMember } from "./copy-member.ts";
import { ArchiveRefused } from "./entry.ts";

export type RestoredMember = { readonly from: string } | { readonly from: null; readonly reason: string };

/**
 * Writes the bytes of a member's version to a new file, known by their hash: out of the archive at its place, so long as that holds them,
 * otherwise out of a copy of the archive. Says where they came from, or why the archive at its place has them no more.
 *
 * Throws the failures of the file system where no other place has the bytes, TerminalFailure SNAPSHOT_CORRUPT where only a damaged copy is
 * left, and the signal's reason.
 */
export async function restoreMember(
  version: FileVersion,
  archive: ArchiveOfMember,
  destination: string,
  { copies, signal }: { readonly copies: ArchiveCopies | null; readonly signal: AbortSignal },
): Promise<RestoredMember> {
  const tryAt = async (path: string): Promise<Untaken | null> => {
    const untaken = await take(version, archive, { path, destination, signal });
    if (untaken !== null) await rm(destination, { force: true });
    return untaken;
  };
  const present = `${version.sourcePath}/${archive.relPath}`;
  const now = await tryAt(present);
  if (now === null) return { from: present };
  const tried = [now];
  const hashes = copies === null ? [] : await copies.contentsHolding(version.id);
  for (const hash of hashes) {
    const copy = snapshotPath(copies!.store.folder, hash);
    const untaken = await tryAt(copy);
    if (untaken === null) return { from: copy };
    tried.push(untaken);
  }
  const failed = tried.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
  // Out of that very content it was read first.
  if (tried[1]?.isAbsent === false) throw corruptCopy(copies!.store.folder, hashes[0]!);
  return { from: null, reason: now.reason };
}

/** Where copies of archives are. */
export interface ArchiveCopies {
  readonly store: SnapshotStore;
  /** The contents of archives that held a member's version; the one that it was first read from comes first. */
  contentsHolding(fileVersionId: string): Promise<readonly string[]>;
}

interface Untaken {
  readonly reason: string;
  /** Whether there is no such file. */
  readonly isAbsent: boolean;
  readonly error?: unknown;
}

/** Null where the bytes are at the destination now. */
async function take(
  version: FileVersion,
  { relPath }: ArchiveOfMember,
  { path, destination, signal }: { readonly path: string; readonly destination: string; readonly signal: AbortSignal },
): Promise<Untaken | null> {
  const name = memberNameOf(relPath, version.relPath);
  const no = (reason: string, rest?: Partial<Untaken>): Untaken => ({ reason, isAbsent: false, ...rest });
  try {
    const content = await copyMember({ path, archiveName: relPath, name, bytesMax: version.stat.sizeBytes }, destination, signal);
    if (content === null) return no(`${relPath} no longer holds ${name}`);
    return content.hash === version.contentHash ? null : no(`${version.relPath} is no longer what version ${version.sequence} recorded`);
  } catch (error) {
    signal.throwIfAborted();
    if (isGone(error)) return no(`${relPath} is no longer there`, { isAbsent: true });
    if (error instanceof ArchiveRefused) return no(`${relPath} no longer holds version ${version.sequence} of ${name}: ${error.message}`);
    return no("", { error });
  }
}
