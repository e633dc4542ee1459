import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { messageOf } from "../domain/failure.ts";
import { errorCode } from "../domain/system-error.ts";
import { incomingFolder, snapshotPath } from "./store.ts";

/**
 * Makes copies in a store while their contents are hashed, synchronously: meant for worker threads. What is hashed is what the copy
 * holds. Copies stand once `settle` has returned: synced together, which costs half of syncing each.
 */
export interface Copies {
  /** Begins to copy an open file of this size, which is about to be read. Never throws: what fails is told by `settle`. */
  begin(file: number, sizeBytes: number): Copy;
  /** Makes the copies last, under their hashes. Returns why the others could not be made, by hash. */
  settle(): ReadonlyMap<string, string>;
}

export interface Copy {
  /** From where to read what is hashed: the file itself, or its clone, which shares the blocks. */
  readonly source: number;
  /** Takes the bytes that were read, in order. */
  add(piece: Uint8Array): void;
  /** All was read, and this is its SHA-256. */
  keep(hash: string): void;
  /** Gives up what was not kept. */
  [Symbol.dispose](): void;
}

interface Written {
  readonly path: string;
  readonly descriptor: number;
}

/** Contents up to this size are hashed whole, and so written only where the store doesn't have them. Bytes. */
const smallBytes = 1024 * 1024;
/** Only the owner may read, and nobody may write: contents are as private as they may have been where they came from. */
const copyMode = 0o400;

export function createCopies(folder: string): Copies {
  const kept = new Map<string, Written>();
  const failures = new Map<string, string>();
  // Tried until it fails once: a batch comes from one source, and so in general from one file system.
  let clones = true;
  return {
    begin: (file, sizeBytes) => (sizeBytes <= smallBytes ? beginSmall(file) : beginLarge(file)),
    settle() {
      const folders = new Set<string>();
      for (const [hash, written] of kept) attempt(hash, () => folders.add(moveIn(hash, written)));
      for (const changed of folders) {
        try {
          syncFolder(changed);
        } catch (error) {
          for (const hash of kept.keys()) if (dirname(snapshotPath(folder, hash)) === changed) failures.set(hash, messageOf(error));
        }
      }
      kept.clear();
      return failures;
    },
  };

  function beginSmall(file: number): Copy {
    let content: Uint8Array = new Uint8Array();
    return {
      source: file,
      add: (piece) => void (content = piece),
      keep(hash) {
        if (kept.has(hash)) return;
        attempt(hash, () => {
          if (!holds(snapshotPath(folder, hash), content)) kept.set(hash, cloneOf(file, content) ?? write(content));
        });
      },
      [Symbol.dispose]() {},
    };
  }

  function beginLarge(file: number): Copy {
    let failure: unknown;
    let written: Written | null = null;
    let cloned = false;
    try {
      written = clone(file);
      cloned = written !== null;
      written ??= create();
    } catch (error) {
      failure = error;
    }
    return {
      source: cloned ? written!.descriptor : file,
      add(piece) {
        if (cloned || failure !== undefined) return;
        try {
          writeAll(written!.descriptor, piece);
        } catch (error) {
          failure = error;
        }
      },
      keep(hash) {
        if (failure !== undefined) return void failures.set(hash, messageOf(failure));
        const other = kept.get(hash);
        if (other !== undefined) discard(other);
        kept.set(hash, written!);
        written = null;
      },
      [Symbol.dispose]() {
        if (written !== null) discard(written);
        written = null;
      },
    };
  }

  function attempt(hash: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      failures.set(hash, messageOf(error));
    }
  }

  /** Into its place; returns the folder that it is in. */
  function moveIn(hash: string, written: Written): string {
    const target = snapshotPath(folder, hash);
    try {
      fsyncSync(written.descriptor);
      if (mkdirSync(dirname(target), { recursive: true, mode: 0o700 }) !== undefined) syncFolder(folder);
      renameSync(written.path, target);
    } catch (error) {
      rmSync(written.path, { force: true });
      throw error;
    } finally {
      closeSync(written.descriptor);
    }
    return dirname(target);
  }

  function write(content: Uint8Array): Written {
    const written = create();
    try {
      writeAll(written.descriptor, content);
      return written;
    } catch (error) {
      discard(written);
      throw error;
    }
  }

  /** A clone that was read and found to be this content; null where there can be none, or the file has changed since it was read. */
  function cloneOf(file: number, content: Uint8Array): Written | null {
    const written = content.length === 0 ? null : clone(file);
    if (written === null || holds(written.path, content)) return written;
    discard(written);
    return null;
  }

  function clone(file: number): Written | null {
    // By its descriptor, because the name may stand for another file by now; where there is no /proc, there is no clone.
    if (!clones || process.platform !== "linux") return null;
    const path = newPath();
    try {
      copyFileSync(`/proc/self/fd/${file}`, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
      chmodSync(path, copyMode);
      return { path, descriptor: openSync(path, constants.O_RDONLY) };
    } catch {
      rmSync(path, { force: true });
      clones = false;
      return null;
    }
  }

  function create(): Written {
    const path = newPath();
    try {
      return { path, descriptor: openSync(path, "wx", copyMode) };
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return { path, descriptor: openSync(path, "wx", copyMode) };
    }
  }

  function newPath(): string {
    return join(incomingFolder(folder), randomBytes(12).toString("hex"));
  }
}

function discard({ path, descriptor }: Written): void {
  closeSync(descriptor);
  rmSync(path, { force: true });
}

/** Whether there is a file with just this content, which is compared: a copy that was damaged is replaced. */
function holds(path: string, content: Uint8Array): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  return size === content.length && readFileSync(path).equals(content);
}

function writeAll(descriptor: number, content: Uint8Array): void {
  for (let done = 0; done < content.length;) done += writeSync(descriptor, content, done);
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
