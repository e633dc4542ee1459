import { cancellationSignal } from "@temporalio/activity";
import type { Database } from "../db/pool.ts";
import { findSource, listSources, type Source } from "../db/source-root.ts";
import { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { measurePace } from "../domain/scan-progress.ts";
import { closest } from "../domain/suggest.ts";
import { scanSource, type ScanReport } from "../scout/scan.ts";
import type { ScoutThreads } from "../scout/threads.ts";
import type { Dispatcher } from "./dispatch.ts";
import type { SnapshotStore } from "../snapshots/store.ts";
import { withTemporalFailures } from "./failure.ts";
import { withHeartbeat } from "./heartbeat.ts";

export interface ScanDependencies {
  readonly db: Database;
  readonly log: Log;
  readonly dispatch: Dispatcher["dispatch"];
  readonly threads: ScoutThreads;
  /** Where the contents of sources that ask for it are kept. */
  readonly store?: SnapshotStore;
}

export interface ScanInput {
  readonly source: string;
  /** Null for the whole source. None: only what should have settled by now. */
  readonly paths: readonly string[] | null;
}

/** A paused or removed source is left alone. */
export type ScanOutcome =
  | { readonly outcome: "PAUSED" | "REMOVED" }
  | {
      readonly outcome: "SCANNED";
      readonly report: Omit<ScanReport, "nextSettleAt">;
      /** Until a waiting file may settle; null where none waits. Milliseconds from the scan's end, so that no two clocks are compared. */
      readonly nextSettleInMs: number | null;
    };

/** What a step without heartbeats may take on: well under a second of work. */
const quickBounds = { files: 1_000, bytes: 64 * 1024 * 1024, archiveBytes: 1024 * 1024 };
const quickStarts = 50;

export type ScanActivities = ReturnType<typeof createScanActivities>;

export function createScanActivities({ db, log, dispatch, store, threads }: ScanDependencies) {
  return withTemporalFailures({
    /** Walks, compares, hashes and records; heartbeats with its progress and pace, and stops when it is cancelled. */
    async scan(input: ScanInput): Promise<ScanOutcome> {
      const pace = measurePace(() => performance.now());
      return withHeartbeat((signal, tell) => run(input, signal, { onProgress: (progress) => tell(pace(progress)) }));
    },

    /** The same as a short step for a few paths; null, and nothing recorded, where it would be a long one. */
    async scanPaths(input: ScanInput): Promise<ScanOutcome | null> {
      try {
        return await run(input, cancellationSignal(), { bounds: quickBounds });
      } catch (error) {
        if (error instanceof TransientFailure && error.code === "SCAN_TOO_LARGE") return null;
        throw error;
      }
    },

    /** Starts workflows for the versions that wait for one, until enough are started; heartbeats and stops when it is cancelled. */
    async dispatch(): Promise<number> {
      return withHeartbeat((signal) => dispatch({ signal }));
    },

    /** The same as a short step for a few; false where more may wait. */
    async dispatchFew(): Promise<boolean> {
      return (await dispatch({ limit: quickStarts, signal: cancellationSignal() })) < quickStarts;
    },
  });

  async function run(
    { source: name, paths }: ScanInput,
    signal: AbortSignal,
    options: Pick<Parameters<typeof scanSource>[0], "onProgress" | "bounds">,
  ): Promise<ScanOutcome> {
    const source = await requireSource(name);
    if (source.state !== "ACTIVE") return { outcome: source.state };
    const { nextSettleAt, ...report } = await scanSource({ db, source, paths, threads, store, signal, log, ...options });
    log.debug("scanned", { source: name, ...report });
    return { outcome: "SCANNED", report, nextSettleInMs: nextSettleAt === null ? null : Math.max(0, nextSettleAt.getTime() - Date.now()) };
  }

  async function requireSource(name: string): Promise<Source> {
    const source = await findSource(db, name);
    if (source !== null) return source;
    const names = (await listSources(db)).map((known) => known.name);
    const near = closest(name, names);
    throw new TerminalFailure({
      code: "UNKNOWN_SOURCE",
      message: `there is no source "${name}"`,
      hint:
        near !== null
          ? `Did you mean ${near}?`
          : names.length > 0
            ? `Sources: ${names.join(", ")}`
            : "Add a folder: casparian source add NAME PATH",
    });
  }
}
