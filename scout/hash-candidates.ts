import { addFindings, type Finding } from "../db/scan-finding.ts";
import type { Candidate } from "../db/scan-difference.ts";
import { forgetWaiting, noteChanging } from "../db/scan-pending.ts";
import { recordVersions } from "../db/file-version.ts";
import type { Queryable } from "../db/pool.ts";
import type { Source } from "../db/source-root.ts";
import { TransientFailure } from "../domain/failure.ts";
import type { Candidates } from "./candidates.ts";
import { chunksOf } from "./chunks.ts";
import type { HashResult } from "./hash.ts";
import { inLanes, oneAtATime } from "./lanes.ts";
import { recordWithCopies, type CopiedFile } from "./record-with-copies.ts";
import type { SnapshotStore } from "../snapshots/store.ts";
import type { ScanProgress } from "../domain/scan-progress.ts";
import type { ScoutThreads } from "./threads.ts";

export interface HashRequest {
  readonly connection: Queryable;
  readonly source: Source;
  readonly threads: ScoutThreads;
  readonly signal: AbortSignal;
  readonly candidates: Candidates;
  /** Takes a copy of each content; null where the source keeps none. */
  readonly store: SnapshotStore | null;
  readonly filesSeen: number;
  /** Those that have settled by their times; more may have by having been observed. */
  readonly filesToHash: number;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

type Counts = Readonly<Record<Candidate["change"], number>>;

export interface HashTotals {
  /** Files that have a new version. */
  readonly versioned: Counts;
  /** Files whose content is that of their newest version. */
  readonly touched: Counts;
  readonly bytes: number;
}

/** Hashes the files that the comparison left as candidates, several at once, and records each batch as soon as it is hashed. */
export async function hashCandidates(request: HashRequest): Promise<HashTotals> {
  const { connection, source, threads, store, filesSeen, filesToHash, onProgress } = request;
  const query = oneAtATime();
  const versioned = { NEW: 0, CHANGED: 0, REAPPEARED: 0, UNCOPIED: 0 };
  const touched = { NEW: 0, CHANGED: 0, REAPPEARED: 0, UNCOPIED: 0 };
  let filesHashed = 0;
  let bytes = 0;

  // One lane more than threads: while it records, every thread hashes.
  await inLanes(threads.size + 1, request.signal, request.candidates.batches(query), async (batch, signal) => {
    let left = batch;
    for (let round = 1; left.length > 0; round += 1) {
      if (round > roundsMax) throw copiesVanish(store);
      left = await record(left, await hash(left, signal));
    }
  });
  return { versioned, touched, bytes };

  async function hash(batch: readonly Candidate[], signal: AbortSignal): Promise<readonly HashResult[]> {
    const tasks = batch.map(({ relPath, stat }) => ({ path: `${source.path}/${relPath}`, stat }));
    let results: readonly HashResult[] = [];
    for await (const read of chunksOf(threads.hash(tasks, signal, store?.folder), (end) => (results = end))) {
      bytes += read;
      tell();
    }
    return results;
  }

  /** Returns the files whose copies were taken away before anything said that they are kept: they are to be hashed again. */
  async function record(batch: readonly Candidate[], results: readonly HashResult[]): Promise<readonly Candidate[]> {
    const { hashed, changing, unreadable } = sort(batch, results);
    let uncopied: readonly Candidate[] = [];
    await query(async () => {
      if (hashed.length > 0) {
        const { recorded, missing } =
          store === null
            ? { recorded: await recordVersions(connection, source.id, hashed), missing: new Set<string>() }
            : await recordWithCopies(connection, { sourceId: source.id, store, files: hashed });
        uncopied = hashed.filter(({ relPath }) => missing.has(relPath));
        for (const { relPath, change } of hashed) {
          if (!missing.has(relPath)) (recorded.has(relPath) ? versioned : touched)[change] += 1;
        }
      }
      if (changing.length > 0) await noteChanging(connection, source.id, changing);
      if (unreadable.length > 0) {
        await addFindings(connection, source.id, unreadable);
        await forgetWaiting(
          connection,
          source.id,
          unreadable.map((finding) => finding.relPath),
        );
      }
    });
    filesHashed += batch.length - uncopied.length;
    tell();
    return uncopied;
  }

  function tell(): void {
    onProgress?.({ step: "hash", filesSeen, filesToHash: Math.max(filesToHash, filesHashed), filesHashed, bytesHashed: bytes });
  }
}

/** How often the same contents are copied, while others take the copies away. */
const roundsMax = 3;

function copiesVanish(store: SnapshotStore | null): TransientFailure {
  return new TransientFailure({
    code: "SNAPSHOT_STORE_UNSTEADY",
    message: `copies disappear from ${store?.folder} as soon as they are made`,
    hint: "Look at what else removes files there; the scan is tried again",
  });
}

function sort(batch: readonly Candidate[], results: readonly HashResult[]) {
  const hashed: (CopiedFile & Candidate)[] = [];
  const changing: Candidate[] = [];
  const unreadable: Finding[] = [];
  for (const [index, candidate] of batch.entries()) {
    const result = results[index];
    if (result?.outcome === "HASHED") hashed.push({ ...candidate, hash: result.hash, copyFailure: result.copyFailure });
    else if (result?.outcome === "CHANGED") changing.push({ ...candidate, stat: result.stat });
    else unreadable.push({ relPath: candidate.relPath, kind: "UNREADABLE", message: `can't be read: ${result?.message ?? "no answer"}` });
  }
  return { hashed, changing, unreadable };
}
