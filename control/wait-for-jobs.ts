import { setTimeout } from "node:timers/promises";
import { listJobs, type JobRow } from "../db/job-history.ts";
import { endedJobStates } from "../domain/job-state.ts";
import type { ControlContext } from "./context.ts";

const pollMs = 200;

/** Which jobs: by id, or those of file versions by one artifact, which may not be there yet. */
export type AwaitedJobs = { readonly ids: readonly string[] } | { readonly fileVersionIds: readonly string[]; readonly pluginId: string };

/** Resolves with the jobs when all of them have ended. Throws the signal's reason. */
export async function waitForJobs(
  { db }: Pick<ControlContext, "db">,
  awaited: AwaitedJobs,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (ended: number, of: number) => void },
): Promise<readonly JobRow[]> {
  // Several rows of a caller's may stand for one job.
  const wanted = new Set("ids" in awaited ? awaited.ids : awaited.fileVersionIds).size;
  for (;;) {
    const found = await listJobs(db, { ...("ids" in awaited ? awaited : { fileVersionIds: awaited.fileVersionIds }), limit: 100_000 });
    const jobs = "ids" in awaited ? found : found.filter(({ pluginId, replayOf }) => pluginId === awaited.pluginId && replayOf === null);
    const ended = jobs.filter(({ state }) => endedJobStates.some((each) => each === state));
    onProgress(ended.length, wanted);
    if (ended.length >= wanted) return jobs;
    await setTimeout(pollMs, undefined, { signal });
  }
}
