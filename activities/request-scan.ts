import { findSource, type Source } from "../db/source-root.ts";
import type { Database } from "../db/pool.ts";
import { withTemporalFailures } from "./failure.ts";

/** A paused or removed source is left alone. */
export interface ScanRequested {
  readonly outcome: "ASKED" | "PAUSED" | "REMOVED";
}

export interface RequestScanDependencies {
  readonly db: Database;
  /** Asks for a scan of everything, unless one is under way. */
  readonly requestScan: (source: Source) => Promise<void>;
}

export type RequestScanActivities = ReturnType<typeof createRequestScanActivities>;

export function createRequestScanActivities({ db, requestScan }: RequestScanDependencies) {
  return withTemporalFailures({
    /** Asks for the scan that is due by a source's schedule. The schedule may lag behind the record, which decides. */
    async askForScan({ source: name }: { readonly source: string }): Promise<ScanRequested> {
      const source = await findSource(db, name);
      if (source === null || source.state === "REMOVED") return { outcome: "REMOVED" };
      if (source.state === "PAUSED") return { outcome: "PAUSED" };
      await requestScan(source);
      return { outcome: "ASKED" };
    },
  });
}
