import { contentsHolding } from "../db/archive-member.ts";
import type { Queryable } from "../db/pool.ts";
import { sameStat, type FileStat, type FileVersion } from "../domain/file-version.ts";
import { TransientFailure } from "../domain/failure.ts";
import { openMember } from "./archive-input.ts";
import { checkInput } from "./check-input.ts";
import { openSnapshot, type SnapshotInputs } from "./snapshot-input.ts";

/** What a plugin reads for a version: bytes that are the version's, at a path, until it is released. */
export interface JobInput extends AsyncDisposable {
  readonly path: string;
  /** The source's folder, or that of the members' copies, of which only the input is shown to the plugin. */
  readonly root: string;
  /**
   * Whether what was read were the version's bytes from the first to the last; asked after the plugin has ended. Throws TransientFailure
   * INPUT_TOUCHED where that can't be told.
   */
  verify(signal: AbortSignal): Promise<Unchanged | Changed>;
}

interface Unchanged {
  readonly same: true;
}

export interface Changed {
  readonly same: false;
  readonly reason: string;
}

export type OpenedInput = { readonly same: true; readonly input: JobInput } | Changed;

/**
 * The version's bytes: the copy of its content, where there is one; otherwise the file at its place, where that still has them, or the
 * copy of a member out of its archive.
 */
export async function openInput(
  version: FileVersion,
  signal: AbortSignal,
  { db, scratchRoot, snapshots }: { readonly db: Queryable; readonly scratchRoot: string; readonly snapshots?: SnapshotInputs },
): Promise<OpenedInput> {
  const copy = snapshots === undefined ? null : await openSnapshot(version, snapshots, signal);
  if (copy !== null) return { same: true, input: copy };
  if (version.archive !== null) {
    const copies = snapshots === undefined ? null : { store: snapshots.store, contentsHolding: (id: string) => contentsHolding(db, id) };
    return openMember(version, version.archive, { scratchRoot, copies, signal });
  }
  const before = await checkInput(version, signal);
  if (!before.same) return before;
  const input: JobInput = {
    path: `${version.sourcePath}/${version.relPath}`,
    root: version.sourcePath,
    async verify(verifySignal) {
      const after = await checkInput(version, verifySignal);
      if (after.same && !sameStat(before.stat, after.stat)) throw touchedWhileRead(version, before.stat, after.stat);
      return after;
    },
    async [Symbol.asyncDispose]() {},
  };
  return { same: true, input };
}

function touchedWhileRead(version: FileVersion, before: FileStat, after: FileStat): TransientFailure {
  return new TransientFailure({
    code: "INPUT_TOUCHED",
    message: `${version.relPath} was touched or replaced while it was read; its content is the same now, so it is read again`,
    data: { before: String(before.ctimeNs), after: String(after.ctimeNs) },
  });
}
