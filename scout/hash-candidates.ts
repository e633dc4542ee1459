import { addFindings, type Finding } from "../db/scan-finding.ts";
import type { Candidate } from "../db/scan-difference.ts";
import { forgetWaiting, noteChanging } from "../db/scan-pending.ts";
import { recordVersions } from "../db/file-version.ts";
import type { Queryable } from "../db/pool.ts";
import type { Source } from "../db/source-root.ts";
import { TransientFailure } from "../domain/failure.ts";
import type { Candidates, Turn } from "./candidates.ts";
import type { HashResult } from "./hash.ts";
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
  const failed = new AbortController();
  const signal = AbortSignal.any([request.signal, failed.signal]);

  const batches = request.candidates.batches(query);
  // One lane more than threads: while it records, every thread hashes.
  const lanes = Array.from({ length: threads.size + 1 }, async () => {
    try {
      for await (const batch of batches) await hashBatch(batch);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  const outcomes = await Promise.allSettled(lanes);
  request.signal.throwIfAborted();
  if (failed.signal.aborted) throw outcomes.find((outcome) => outcome.status === "rejected")?.reason;
  return { versioned, touched, bytes };

  async function hashBatch(batch: readonly Candidate[], round = 1): Promise<void> {
    if (round > roundsMax) throw copiesVanish(store);
    const hashing = threads.hash(
      batch.map(({ relPath, stat }) => ({ path: `${source.path}/${relPath}`, stat })),
      signal,
      store?.folder,
    );
    for (;;) {
      const step = await hashing.next();
      if (step.done === true) return record(batch, step.value, round);
      bytes += step.value;
      onProgress?.({ step: "hash", filesSeen, filesToHash: Math.max(filesToHash, filesHashed), filesHashed, bytesHashed: bytes });
    }
  }

  async function record(batch: readonly Candidate[], results: readonly HashResult[], round: number): Promise<void> {
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
    onProgress?.({ step: "hash", filesSeen, filesToHash: Math.max(filesToHash, filesHashed), filesHashed, bytesHashed: bytes });
    // Their copies were taken away before anything said that they are kept.
    if (uncopied.length > 0) await hashBatch(uncopied, round + 1);
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

/** A connection does one thing at a time; the lanes take turns. */
export function oneAtATime(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  };
}
