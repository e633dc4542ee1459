import type { Queryable } from "../db/pool.ts";
import { closeCandidates, fetchCandidates, openCandidates, selectCandidates, type Candidate } from "../db/scan-difference.ts";
import type { Source } from "../db/source-root.ts";
import type { Turn } from "./lanes.ts";

/** A batch is hashed by one thread and recorded in one transaction; a file larger than its bytes is a batch of its own. */
const batchFiles = 256;
const batchBytes = 32 * 1024 * 1024;
const pageFiles = 1_024;

/** Files to hash, in batches; several may take from it at once. */
export interface Candidates {
  batches(turn: Turn): AsyncGenerator<readonly Candidate[]>;
}

/**
 * Lists the comparison's files that have settled, of at most `count` that may: a few at once, many by a cursor, so that memory does not
 * grow with them. Within the transaction of the comparison; read after it.
 */
export async function listCandidates(connection: Queryable, source: Source, count: number): Promise<Candidates> {
  if (count === 0) return { batches: () => intoBatches(onePage([])) };
  if (count <= pageFiles) {
    const page = await selectCandidates(connection, source.id, source.settleMs);
    return { batches: () => intoBatches(onePage(page)) };
  }
  await openCandidates(connection, source.id, source.settleMs);
  return { batches: (turn) => intoBatches(allPages(connection, turn)) };
}

async function* onePage(page: readonly Candidate[]): AsyncGenerator<readonly Candidate[]> {
  yield page;
}

async function* allPages(connection: Queryable, turn: Turn): AsyncGenerator<readonly Candidate[]> {
  for (;;) {
    const page = await turn(() => fetchCandidates(connection, pageFiles));
    if (page.length === 0) break;
    yield page;
  }
  await turn(() => closeCandidates(connection));
}

async function* intoBatches(pages: AsyncGenerator<readonly Candidate[]>): AsyncGenerator<readonly Candidate[]> {
  for await (const page of pages) {
    let batch: Candidate[] = [];
    let bytes = 0;
    for (const candidate of page) {
      if (batch.length > 0 && (batch.length >= batchFiles || bytes + candidate.stat.sizeBytes > batchBytes)) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(candidate);
      bytes += candidate.stat.sizeBytes;
    }
    if (batch.length > 0) yield batch;
  }
}
