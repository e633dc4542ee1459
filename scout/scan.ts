import { archiveBytesToOpen, markMembersVanished, reopenReturned } from "../db/archive.ts";
import { noteDepartures, pruneDepartures } from "../db/departure.ts";
import { withOwnClient } from "../db/client.ts";
import { countPresent, markReturned, markVanished } from "../db/file-location.ts";
import type { Queryable } from "../db/pool.ts";
import { addSeenFinding, dismissVanished, prepareSeen, type Differences } from "../db/scan-difference.ts";
import { addFindings, settleFindings } from "../db/scan-finding.ts";
import { noteWaiting } from "../db/scan-pending.ts";
import { addUncopied, endBehind } from "../db/snapshot.ts";
import { completeScan, failScan, pruneScans } from "../db/scan.ts";
import type { Source } from "../db/source-root.ts";
import { messageOf, TerminalFailure, TransientFailure } from "../domain/failure.ts";
import type { SnapshotStore } from "../snapshots/store.ts";
import { listCandidates, type Candidates } from "./candidates.ts";
import { beginAlone, notedTogether } from "./connection.ts";
import { addMembers, countFiles, type FileCounts } from "./file-counts.ts";
import { hashCandidates } from "./hash-candidates.ts";
import { describeLeftOut } from "./left-out.ts";
import { lookAround, requireWithin, type Looked } from "./look.ts";
import { openArchives, settleSetting } from "./open-archives.ts";
import type { ScanRequest } from "./scan-request.ts";

export type { ScanRequest } from "./scan-request.ts";

/**
 * What a scan did. A file that was seen is counted once as new, changed, unchanged or reappeared, or it waits, or it is left out, or it is a
 * finding (can't be read). Members of archives count as files where their archive was opened.
 */
export interface ScanReport extends FileCounts {
  readonly scanId: string;
  /** Files of the whole source that have not settled, also beside the paths that were looked at. */
  readonly filesWaiting: number;
  /** The earliest time at which one of them may settle, by this machine's clock. */
  readonly nextSettleAt: Date | null;
  readonly bytesHashed: number;
  /** Findings on record for the whole source. */
  readonly findings: number;
  /** What an operator should know, where there is something. */
  readonly message: string | null;
}

/**
 * Scans a source: walk, compare, settle, hash, record; each new version is recorded with its outbox row. May die anywhere and be run
 * again: the comparison starts from what is on record.
 *
 * Throws TerminalFailure SOURCE_ROOT_MISSING when the root can't be read, TransientFailure SCAN_UNDER_WAY while another process scans
 * the source, and the signal's reason when aborted.
 */
export async function scanSource(request: ScanRequest): Promise<ScanReport> {
  const { db, source, signal } = request;
  signal.throwIfAborted();
  // Everything that is written goes over one connection, and so does the lock on the source's scanning: nothing is written once that is lost.
  return withOwnClient(db, async (connection) => {
    const scanId = await beginAlone(connection, source, signal);
    try {
      return await runScan(request, connection, scanId);
    } catch (error) {
      // Where this fails, too, the next scan ends the row.
      await endBadly(request, connection, scanId, error).catch(() => {});
      throw error;
    }
  });
}

async function runScan(request: ScanRequest, connection: Queryable, scanId: string): Promise<ScanReport> {
  const { source } = request;
  await prepareSeen(connection);
  // Only a look at everything costs a question to sources without archives.
  const dropped = source.archives || request.paths === null ? await settleSetting(connection, source) : 0;
  const seen = await notedTogether(connection, async () => note(request, connection, await lookAround(request, connection)));
  const hashed = await hashCandidates({
    ...request,
    connection,
    filesSeen: seen.files,
    filesToHash: seen.differences.ready,
    candidates: seen.candidates,
    store: storeFor(request),
  });
  const opened = source.archives ? await openArchives({ ...request, connection, filesSeen: seen.files }) : null;
  if (seen.isWhole) await prune(connection, source);
  if (seen.isWhole && source.snapshots) await endBehind(connection, source.id);
  const nowMs = Date.now();
  const counts = addMembers(countFiles(seen, hashed), opened, dropped);
  const message = seen.message ?? (dropped > 0 ? describeDropped(dropped) : null);
  const clock = { settleMs: source.settleMs, nowMs };
  const standing = await completeScan(connection, { id: scanId, sourceId: source.id, counts, message, clock });
  return {
    ...counts,
    scanId,
    filesWaiting: standing.filesWaiting,
    nextSettleAt: standing.nextSettleInMs === null ? null : new Date(nowMs + Math.ceil(standing.nextSettleInMs)),
    bytesHashed: hashed.bytes + (opened?.bytes ?? 0),
    findings: standing.findings,
    message,
  };
}

async function prune(connection: Queryable, source: Source): Promise<void> {
  await pruneScans(connection, source.id);
  await pruneDepartures(connection);
}

interface Seen {
  readonly isWhole: boolean;
  readonly files: number;
  readonly differences: Differences;
  /** Members of archives that vanished with them. */
  readonly membersVanished: number;
  readonly candidates: Candidates;
  readonly message: string | null;
}

/** Brings to the record what the comparison found, all but contents, and lists the files whose content is to be hashed. */
async function note(request: ScanRequest, connection: Queryable, { scope, files, differences: found }: Looked): Promise<Seen> {
  const { source } = request;
  if (source.archives && request.bounds !== undefined) requireWithin(request, 0, 0, await archiveBytesToOpen(connection, source.id));
  const isEmptied = scope === null && files === 0 && found.VANISHED > 0;
  let message = isEmptied ? await refuseEmptiness(request, connection, found.VANISHED) : null;
  const differences = isEmptied ? { ...found, VANISHED: 0 } : found;
  if (differences.VANISHED + differences.CHANGED + differences.RETURNED > 0) await noteDepartures(connection);
  let membersVanished = 0;
  if (differences.VANISHED > 0) {
    await markVanished(connection);
    if (source.archives) membersVanished = await markMembersVanished(connection);
    message = await sayManyVanished(request, connection, differences.VANISHED);
  }
  if (differences.RETURNED > 0) {
    await markReturned(connection);
    if (source.archives) await reopenReturned(connection);
  }
  if (differences.waits > 0 || differences.pending) await noteWaiting(connection, source.id, scope);
  for (const left of differences.leftOut) await addSeenFinding(connection, "", left.kind, describeLeftOut(left, source, scope));
  if (differences.findings || differences.leftOut.length > 0 || isEmptied) await settleFindings(connection, source.id, scope);
  const store = scope === null ? storeFor(request) : null;
  const uncopied = store === null ? 0 : await addUncopied(connection, source.id, store.id);
  const ready = differences.ready + uncopied;
  const candidates = await listCandidates(connection, source, ready + differences.waits);
  return { isWhole: scope === null, files, differences: { ...differences, ready }, membersVanished, candidates, message };
}

/** Null where the source keeps no copies. */
function storeFor({ source, store }: ScanRequest): SnapshotStore | null {
  if (!source.snapshots) return null;
  if (store === undefined) throw new Error(`source ${source.name} keeps copies, and the scan was not told where`);
  return store;
}

/** An unmounted share looks like an emptied one. So long as not one file is there, those on record stay present, and it is said. */
async function refuseEmptiness({ source, log }: ScanRequest, connection: Queryable, onRecord: number): Promise<string> {
  const message =
    `no file was found in ${source.path}, but ${onRecord} on record are present; ` +
    "none was marked as vanished, because an unmounted folder looks the same";
  log.warn(message, { source: source.name });
  await dismissVanished(connection);
  await addSeenFinding(connection, "", "ROOT_EMPTY", message);
  return message;
}

/** Fewer may well be a day's work of a person. */
const manyVanished = 20;

/** Files that vanish are on record as such. When nine of ten do at once it is said aloud: their folder may have been moved or unmounted. */
async function sayManyVanished({ source, log }: ScanRequest, connection: Queryable, vanished: number): Promise<string | null> {
  if (vanished < manyVanished) return null;
  const leftMax = Math.floor(vanished / 9);
  const left = await countPresent(connection, source.id, leftMax + 1);
  if (left > leftMax) return null;
  const message =
    `${vanished} of ${vanished + left} files vanished from ${source.path} at once and are on record as vanished; ` +
    "where their folder was moved or unmounted, bring it back and scan again: they are present again then";
  log.warn(message, { source: source.name });
  return message;
}

function describeDropped(members: number): string {
  return `archives are no longer opened, so ${members} members on record count as vanished; their versions and results stay`;
}

async function endBadly({ source, signal }: ScanRequest, connection: Queryable, scanId: string, error: unknown): Promise<void> {
  const message = messageOf(error);
  if (error instanceof TerminalFailure && error.code === "SOURCE_ROOT_MISSING") {
    await addFindings(connection, source.id, [{ relPath: "", kind: "ROOT_MISSING", message }]);
  }
  const gaveUp = signal.aborted || (error instanceof TransientFailure && error.code === "SCAN_TOO_LARGE");
  await failScan(connection, scanId, gaveUp ? "CANCELLED" : "FAILED", message);
}
