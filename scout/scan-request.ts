import type { Database } from "../db/pool.ts";
import type { Source } from "../db/source-root.ts";
import type { ArchiveLimits } from "../domain/archive.ts";
import type { Log } from "../domain/log.ts";
import type { ScanProgress } from "../domain/scan-progress.ts";
import type { SnapshotStore } from "../snapshots/store.ts";
import type { ScoutThreads } from "./threads.ts";

export interface ScanRequest {
  readonly db: Database;
  readonly source: Source;
  /** Paths to look at, with everything below them; none means only what should have settled by now. Null for the whole source. */
  readonly paths: readonly string[] | null;
  readonly threads: ScoutThreads;
  /** Where contents are kept; needed where the source asks for it. */
  readonly store?: SnapshotStore | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
  readonly log: Log;
  /** Gives up with TransientFailure SCAN_TOO_LARGE, before anything is hashed, when there is more to do. */
  readonly bounds?: { readonly files: number; readonly bytes: number; readonly archiveBytes?: number } | undefined;
  /** What an archive may come to; as in `domain/archive.ts` unless given. */
  readonly archiveLimits?: ArchiveLimits | undefined;
}
