import { lstat } from "node:fs/promises";
import { storedContents, type StoredContent } from "../db/snapshot.ts";
import type { Queryable } from "../db/pool.ts";
import { messageOf } from "../domain/failure.ts";
import { errorCode } from "../domain/system-error.ts";
import { readContent } from "./content.ts";
import { snapshotPath, type SnapshotStore } from "./store.ts";

export interface DamagedCopy extends StoredContent {
  readonly path: string;
  readonly damage: "missing" | "corrupt" | "unreadable";
  /** A sentence without a full stop. */
  readonly message: string;
}

export interface ExaminedCopies {
  readonly contents: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedCopy[];
}

const pageSize = 1_000;

/**
 * Looks at the copies that the record says are in a store: reads each one, or with `quick` only looks whether it is there and as large as
 * it should be; all of them, or the first `limit`.
 */
export async function examineCopies(
  db: Queryable,
  store: SnapshotStore,
  options: {
    readonly quick?: boolean;
    readonly limit?: number;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((contents: number, bytes: number) => void) | undefined;
  } = {},
): Promise<ExaminedCopies> {
  const { quick = false, limit = Infinity, signal } = options;
  const damaged: DamagedCopy[] = [];
  let contents = 0;
  let bytes = 0;
  for (let afterHash = ""; contents < limit;) {
    const page = await storedContents(db, store.id, { afterHash, limit: Math.min(pageSize, limit - contents) });
    for (const content of page) {
      signal?.throwIfAborted();
      const found = await examineCopy(store, content, { quick, signal });
      if (found !== null) damaged.push(found);
      contents += 1;
      bytes += content.sizeBytes;
      options.onProgress?.(contents, bytes);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    afterHash = last.hash;
  }
  return { contents, bytes, damaged };
}

/** Null where the copy is as it should be. */
export async function examineCopy(
  store: SnapshotStore,
  content: StoredContent,
  { quick, signal }: { readonly quick: boolean; readonly signal?: AbortSignal | undefined },
): Promise<DamagedCopy | null> {
  const path = snapshotPath(store.folder, content.hash);
  const tell = (damage: DamagedCopy["damage"], message: string): DamagedCopy => ({ ...content, path, damage, message });
  try {
    const { size } = await lstat(path);
    if (size !== content.sizeBytes) return tell("corrupt", `it has ${size} bytes instead of ${content.sizeBytes}`);
    if (quick) return null;
    const { hash } = await readContent(path, signal);
    return hash === content.hash ? null : tell("corrupt", "it holds other bytes than were copied");
  } catch (error) {
    if (signal?.aborted === true) throw error;
    if (errorCode(error) === "ENOENT") return tell("missing", "it is not there");
    return tell("unreadable", `it can't be read: ${messageOf(error)}`);
  }
}
