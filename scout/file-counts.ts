import type { Differences } from "../db/scan-difference.ts";
import type { HashTotals } from "./hash-candidates.ts";
import type { OpenedTotals } from "./open-archives.ts";

/** What became of the files that a scan saw. */
export interface FileCounts {
  readonly filesSeen: number;
  /** Recorded for the first time. */
  readonly filesNew: number;
  /** Recorded with another version. */
  readonly filesChanged: number;
  /** As recorded, or touched without a change of content. */
  readonly filesUnchanged: number;
  readonly filesVanished: number;
  /** Vanished before and there again, whether with their old content or another. */
  readonly filesReappeared: number;
  /** Not taken, because the source's limits of size and age leave them out; those on record stay as they are. */
  readonly filesLeftOut: number;
}

/** Members that vanished did so with their archives. */
export function countFiles(
  seen: { readonly files: number; readonly differences: Differences; readonly membersVanished: number },
  { versioned, touched }: HashTotals,
): FileCounts {
  const { files, differences: d, membersVanished } = seen;
  const filesLeftOut = d.leftOut.reduce((sum, left) => sum + left.files, 0);
  return {
    filesSeen: files,
    filesNew: versioned.NEW,
    filesChanged: versioned.CHANGED + versioned.UNCOPIED,
    filesUnchanged: files - d.NEW - d.CHANGED - d.REAPPEARED - d.RETURNED - filesLeftOut + touched.CHANGED - versioned.UNCOPIED,
    filesVanished: d.VANISHED + membersVanished,
    filesReappeared: d.RETURNED + versioned.REAPPEARED + touched.REAPPEARED,
    filesLeftOut,
  };
}

/** Adds what was found in archives that were opened, and members of those that are opened no more. */
export function addMembers(counts: FileCounts, members: OpenedTotals | null, dropped: number): FileCounts {
  return {
    filesSeen: counts.filesSeen + (members?.seen ?? 0),
    filesNew: counts.filesNew + (members?.new ?? 0),
    filesChanged: counts.filesChanged + (members?.changed ?? 0),
    filesUnchanged: counts.filesUnchanged + (members?.unchanged ?? 0),
    filesVanished: counts.filesVanished + (members?.vanished ?? 0) + dropped,
    filesReappeared: counts.filesReappeared + (members?.reappeared ?? 0),
    filesLeftOut: counts.filesLeftOut,
  };
}
