import { dropMembers, areArchivesNoted, noteArchives, refuseArchive, waitingArchives, type WaitingArchive } from "../db/archive.ts";
import { forgetMembers, gatherMembers, prepareMembers, recordMembers, type MemberCounts } from "../db/archive-member.ts";
import type { Queryable } from "../db/pool.ts";
import { addFindings } from "../db/scan-finding.ts";
import { noteChanging } from "../db/scan-pending.ts";
import type { Source } from "../db/source-root.ts";
import type { ScanProgress } from "../domain/scan-progress.ts";
import { memberPath, type ArchiveLimits } from "../domain/archive.ts";
import type { Log } from "../domain/log.ts";
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
 * changed or can't be read now waits on, and is looked at by the next scan.
 */
export async function openArchives(request: OpenArchivesRequest): Promise<OpenedTotals> {
  const { connection, source, threads } = request;
  const totals = { seen: 0, new: 0, changed: 0, unchanged: 0, reappeared: 0, vanished: 0, bytes: 0 };
  const query = oneAtATime();
  await inLanes(threads.size, request.signal, listWaiting(connection, source.id, query), openOne);
  return totals;

  async function openOne(archive: WaitingArchive, signal: AbortSignal): Promise<void> {
    const { path: root, include, exclude, archives } = source;
    const { relPath, stat } = archive;
    const globs = { include, exclude, archives };
    const { sizeBytesMin, sizeBytesMax, ageMsMax } = source;
    const fileLimits = { sizeBytesMin, sizeBytesMax, ageMsMax };
    const listing = threads.members({ root, relPath, stat, globs, fileLimits, limits: request.archiveLimits }, signal);
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
    await query(() => end(archive, result!));
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
