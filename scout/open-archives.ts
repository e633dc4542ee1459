import {
  areArchivesNoted,
  dropMembers,
  missArchive,
  noteArchives,
  overdueArchives,
  refuseArchive,
  waitingArchives,
  type OverdueArchive,
  type WaitingArchive,
} from "../db/archive.ts";
import { forgetMembers, gatherMembers, prepareMembers, recordMembers, type MemberCounts } from "../db/archive-member.ts";
import type { Queryable } from "../db/pool.ts";
import { addFindings } from "../db/scan-finding.ts";
import { noteChanging } from "../db/scan-pending.ts";
import type { Source } from "../db/source-root.ts";
import type { ScanProgress } from "../domain/scan-progress.ts";
import { memberPath, type ArchiveLimits } from "../domain/archive.ts";
import type { Log } from "../domain/log.ts";
import { examineCopy } from "../snapshots/examine.ts";
import { snapshotPath, type SnapshotStore } from "../snapshots/store.ts";
import { chunksOf } from "./chunks.ts";
import { inTransaction } from "./connection.ts";
import { inLanes, oneAtATime, type Turn } from "./lanes.ts";
import type { ListMembersEnd } from "./list-members.ts";
import type { ScoutThreads } from "./threads.ts";

/**
 * Brings the record to the source's setting: what was on record when archives were turned on waits to be opened, and members vanish when
 * they are turned off. Returns how many vanished.
 */
export async function settleSetting(connection: Queryable, source: Source): Promise<number> {
  if ((await areArchivesNoted(connection, source.id)) === source.archives) return 0;
  if (!source.archives) return dropMembers(connection, source.id);
  await noteArchives(connection, source.id);
  return 0;
}

export interface OpenArchivesRequest {
  readonly connection: Queryable;
  readonly source: Source;
  readonly threads: ScoutThreads;
  /** Where copies of versions are that were replaced before they were opened. */
  readonly store?: SnapshotStore | undefined;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly archiveLimits?: ArchiveLimits | undefined;
  readonly filesSeen: number;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

export interface OpenedTotals extends MemberCounts {
  /** Unpacked and hashed. */
  readonly bytes: number;
}

const pageArchives = 100;

/**
 * Opens the archives of the source that wait for it, several at once, and records the members of each in one transaction. One that has
 * changed or can't be read now waits on, and is looked at by the next scan. Versions that were replaced meanwhile come first, each out of
 * its copy; one without is a finding.
 */
export async function openArchives(request: OpenArchivesRequest): Promise<OpenedTotals> {
  const { connection, source, threads } = request;
  const totals = { seen: 0, new: 0, changed: 0, unchanged: 0, reappeared: 0, vanished: 0, bytes: 0 };
  const query = oneAtATime();
  // A member's versions are recorded in the order of its archive's.
  await openOverdue();
  await inLanes(threads.size, request.signal, listWaiting(connection, source.id, query), async (archive, signal) => {
    const result = await list(archive, signal);
    await query(() => end(archive, result));
  });
  return totals;

  async function openOverdue(): Promise<void> {
    for (;;) {
      const overdue = await overdueArchives(connection, source.id, request.store?.id ?? null, pageArchives);
      if (overdue.length === 0) return;
      await prepareMembers(connection);
      for (const archive of overdue) {
        const missed = await openCopy(archive);
        if (missed !== null) await miss(archive, missed);
      }
    }
  }

  /** Null, or why the version's members can't be known any more. */
  async function openCopy(archive: OverdueArchive): Promise<string | null> {
    const { store, signal } = request;
    if (store === undefined || !archive.isKept) return "no copy of it is kept here";
    const content = { hash: archive.contentHash, sizeBytes: archive.stat.sizeBytes };
    const damaged = await examineCopy(store, content, { quick: false, signal });
    if (damaged !== null) return `its copy ${damaged.path} is of no use: ${damaged.message}`;
    const result = await list(archive, signal, snapshotPath(store.folder, archive.contentHash));
    if (result.outcome === "READ" || result.outcome === "REFUSED") {
      await end(archive, result);
      return null;
    }
    await forgetMembers(connection, archive.versionId);
    return `its copy can't be read${result.outcome === "UNREADABLE" ? `: ${result.message}` : ""}`;
  }

  async function miss(archive: OverdueArchive, reason: string): Promise<void> {
    const { relPath, sequence } = archive;
    request.log.warn("a version of an archive was replaced before it was opened", { source: source.name, path: relPath, sequence, reason });
    const told =
      `version ${sequence} of the archive was replaced before it was opened, and ${reason}: what it held is not on record; ` +
      "put it there once more under another name if it is needed" +
      (source.snapshots ? "" : `, and have contents kept from now on: casparian source set ${source.name} --snapshots`);
    await missArchive(connection, source.id, archive, told);
  }

  async function list(archive: WaitingArchive, signal: AbortSignal, copy?: string): Promise<ListMembersEnd> {
    const { path: root, include, exclude, archives } = source;
    const { relPath, stat } = archive;
    const globs = { include, exclude, archives };
    const { sizeBytesMin, sizeBytesMax, ageMsMax } = source;
    const fileLimits = { sizeBytesMin, sizeBytesMax, ageMsMax };
    const listing = threads.members({ root, relPath, stat, copy, globs, fileLimits, limits: request.archiveLimits }, signal);
    let result: ListMembersEnd | undefined;
    for await (const chunk of chunksOf(listing, (listed) => (result = listed))) {
      const members = chunk.members.map(({ name, ...member }) => ({ relPath: memberPath(relPath, name), ...member }));
      if (members.length > 0) await query(() => gatherMembers(connection, archive.versionId, members));
      totals.bytes += chunk.bytes;
      request.onProgress?.({
        step: "archives",
        filesSeen: request.filesSeen,
        filesToHash: 0,
        filesHashed: totals.seen,
        bytesHashed: totals.bytes,
      });
    }
    return result!;
  }

  async function end(archive: WaitingArchive, result: ListMembersEnd): Promise<void> {
    if (result.outcome === "READ") {
      const counts = await inTransaction(connection, () => recordMembers(connection, source.id, archive));
      for (const [name, amount] of Object.entries(counts)) totals[name as keyof MemberCounts] += amount;
      return;
    }
    await forgetMembers(connection, archive.versionId);
    const { relPath } = archive;
    if (result.outcome === "CHANGED") {
      await noteChanging(connection, source.id, [{ relPath, stat: result.stat }]);
    } else if (result.outcome === "REFUSED") {
      request.log.warn("an archive is refused", { source: source.name, path: relPath, reason: result.message });
      const told = `the archive is refused, and none of its members is taken: ${result.message}; put a good copy in its place, or unpack it there`;
      await refuseArchive(connection, source.id, archive, told);
    } else {
      const message = `the archive can't be read: ${result.message}; the next scan tries again`;
      await addFindings(connection, source.id, [{ relPath, kind: "UNREADABLE", message }]);
    }
  }
}

async function* listWaiting(connection: Queryable, sourceId: string, query: Turn): AsyncGenerator<WaitingArchive> {
  let afterId = "0";
  for (;;) {
    const page = await query(() => waitingArchives(connection, sourceId, afterId, pageArchives));
    if (page.length === 0) return;
    if (afterId === "0") await query(() => prepareMembers(connection));
    yield* page;
    afterId = page.at(-1)!.versionId;
  }
}
