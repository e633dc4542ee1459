import { addFindings, type Finding } from "../db/scan-finding.ts";
import type { Candidate } from "../db/scan-difference.ts";
import { forgetWaiting, noteChanging } from "../db/scan-pending.ts";
import { recordVersions, type HashedFile } from "../db/file-version.ts";
import type { Queryable } from "../db/pool.ts";
import type { Source } from "../db/source-root.ts";
import type { ScanProgress } from "../domain/scan-progress.ts";
import type { Candidates, Turn } from "./candidates.ts";
import type { HashResult } from "./hash.ts";
import type { ScoutThreads } from "./threads.ts";

export interface HashRequest {
  readonly connection: Queryable;
  readonly source: Source;
  readonly threads: ScoutThreads;
  readonly signal: AbortSignal;
  readonly candidates: Candidates;
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
  const { connection, source, threads, filesSeen, filesToHash, onProgress } = request;
  const query = oneAtATime();
  const versioned = { NEW: 0, CHANGED: 0, REAPPEARED: 0 };
  const touched = { NEW: 0, CHANGED: 0, REAPPEARED: 0 };
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

  async function hashBatch(batch: readonly Candidate[]): Promise<void> {
    const hashing = threads.hash(
      batch.map(({ relPath, stat }) => ({ path: `${source.path}/${relPath}`, stat })),
      signal,
    );
    for (;;) {
      const step = await hashing.next();
      if (step.done === true) return record(batch, step.value);
      bytes += step.value;
      onProgress?.({ step: "hash", filesSeen, filesToHash: Math.max(filesToHash, filesHashed), filesHashed, bytesHashed: bytes });
    }
  }

  async function record(batch: readonly Candidate[], results: readonly HashResult[]): Promise<void> {
    const { hashed, changing, unreadable } = sort(batch, results);
    await query(async () => {
      if (hashed.length > 0) {
        const recorded = await recordVersions(connection, source.id, hashed);
        for (const { relPath, change } of hashed) (recorded.has(relPath) ? versioned : touched)[change] += 1;
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
    filesHashed += batch.length;
    onProgress?.({ step: "hash", filesSeen, filesToHash: Math.max(filesToHash, filesHashed), filesHashed, bytesHashed: bytes });
  }
}

function sort(batch: readonly Candidate[], results: readonly HashResult[]) {
  const hashed: (HashedFile & { readonly change: Candidate["change"] })[] = [];
  const changing: Candidate[] = [];
  const unreadable: Finding[] = [];
  for (const [index, candidate] of batch.entries()) {
    const result = results[index];
    if (result?.outcome === "HASHED") hashed.push({ ...candidate, hash: result.hash });
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
