import type { Client } from "@temporalio/client";
import { scheduleId } from "../../workflows/names.ts";
import { askEachGroup, countWorkers } from "../count-workers.ts";

/** What Temporal knows of a source's scans to come. */
export interface ScanOutlook {
  /** ISO 8601; null where none is planned, and where Temporal doesn't run. */
  readonly nextScanAt: string | null;
  /** Workers that may scan it; null where Temporal doesn't run. */
  readonly workers: number | null;
}

interface Scheduled {
  readonly name: string;
  readonly state: string;
  readonly workerGroup: string | null;
}

/** Adds to each source what Temporal knows of it; nothing is known where it doesn't run or doesn't answer. */
export async function withOutlook<T extends Scheduled>(
  sources: readonly T[],
  temporal: Client | null,
): Promise<readonly (T & ScanOutlook)[]> {
  if (temporal === null) return sources.map((source) => ({ ...source, nextScanAt: null, workers: null }));
  const workers = await askEachGroup(sources, (group) => countWorkers(temporal, group).catch(() => null));
  return Promise.all(
    sources.map(async (source) => ({
      ...source,
      nextScanAt: source.state === "ACTIVE" ? await nextTime(temporal, source.name) : null,
      workers: workers.get(source.workerGroup) ?? null,
    })),
  );
}

/** A schedule that is not there yet has no time, which is no failure: `doctor` tells it. */
async function nextTime(temporal: Client, name: string): Promise<string | null> {
  const found = await temporal.schedule
    .getHandle(scheduleId(name))
    .describe()
    .catch(() => null);
  return found?.state.paused === false ? (found.info.nextActionTimes[0]?.toISOString() ?? null) : null;
}
