import type { Selection, SelectionGlobs } from "../../domain/selection.ts";

/** What a watcher tells. Paths are below the root, with `/`. */
export interface WatchEvents {
  /** Changes are seen from now on. Once. */
  ready(): void;
  /** Something may have been made, written, renamed or removed at this path; the empty one means that the root itself was. */
  changed(path: string): void;
  /** A folder is there that was not; what is in it may have come before it was watched. */
  appeared(path: string): void;
  /** So many changes that are not named. */
  flooded(changes: number): void;
  /** Some folders may be unwatched: it should be opened again. */
  lost(reason: string): void;
  /** One folder can't be watched; the others are. */
  skipped(error: unknown): void;
  /** It watches no more and can't by itself. Nothing comes after this; a `code` of the system's says when it is a limit. */
  ended(error: unknown): void;
}

export interface WatchTarget {
  /** The root folder, absolute and without symbolic links. */
  readonly root: string;
  readonly globs: SelectionGlobs;
  /** What they come to, for who watches in this process. */
  readonly selection: Selection;
}

export interface OpenWatch {
  /** Gives everything back that it has taken from the system. Events may still come meanwhile; never rejects. */
  close(): Promise<void>;
}

/**
 * Follows one folder with all folders below it. What each adapter does, and `test/scout/watch.test.ts` checks:
 *
 * - After `ready`, whatever happens to a file that the selection takes is told within a second, by `changed` with its path, by `appeared`
 *   with a folder above it, or by `flooded`. A change may be told twice, or be none.
 * - Folders that are made, renamed or moved in later are followed under their new names with all that is in them.
 * - Excluded folders are not told of. Symbolic links are not followed.
 * - Memory grows with the tree and not with the number of events.
 * - A folder that nobody may read is left out, and doesn't end the watching of the others.
 * - A limit of the system is told by `ended`, at opening or when a new folder meets it; it is never a hang.
 *
 * It need not notice that the root was unmounted or replaced by another, nor that the kernel's queue overflowed: `opening.ts` looks after that for
 * all adapters.
 */
export type WatchAdapter = (target: WatchTarget, events: WatchEvents) => OpenWatch;
