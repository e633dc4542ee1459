import { listJobs as selectJobs, type JobFilter, type JobRow } from "../db/job-history.ts";
import { WrongUse } from "../domain/failure.ts";
import { compileGlob } from "../domain/glob.ts";
import { jobStates, type JobState } from "../domain/job-state.ts";
import { closest } from "../domain/suggest.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { findSource } from "./find-source.ts";

export type { JobRow } from "../db/job-history.ts";

export interface ListJobsRequest {
  /** In any letter case. */
  readonly states?: readonly string[] | undefined;
  readonly plugin?: string | undefined;
  readonly source?: string | undefined;
  /** A glob for the path below the source's root; without a `/` for the file's name. */
  readonly path?: string | undefined;
  readonly limit: number;
}

export interface JobList {
  /** Newest first. */
  readonly jobs: readonly JobRow[];
  /** True where the limit has cut the list. */
  readonly more: boolean;
}

const pageSize = 1_000;

/** Jobs that fit, newest first. Throws WrongUse for an unknown state, plugin or source, with the nearest known one. */
export async function listJobs({ db }: ControlContext, request: ListJobsRequest): Promise<JobList> {
  const filter: Omit<JobFilter, "limit"> = {
    states: request.states?.map(parseState),
    plugin: request.plugin === undefined ? undefined : (await findPlugin(db, request.plugin))[0].name,
    sourceIds: request.source === undefined ? undefined : [(await findSource(db, request.source)).id],
  };
  const matches = request.path === undefined ? () => true : compileGlob(request.path);
  const jobs: JobRow[] = [];
  let beforeId: string | undefined;
  for (;;) {
    // One more than asked for tells whether there are more.
    const limit = request.path === undefined ? request.limit + 1 : pageSize;
    const page = await selectJobs(db, { ...filter, beforeId, limit });
    jobs.push(...page.filter((job) => matches(job.path)));
    if (page.length < limit || jobs.length > request.limit)
      return { jobs: jobs.slice(0, request.limit), more: jobs.length > request.limit };
    beforeId = page.at(-1)!.id;
  }
}

function parseState(text: string): JobState {
  const state = jobStates.find((candidate) => candidate === text.toUpperCase());
  if (state !== undefined) return state;
  const near = closest(text, jobStates);
  throw new WrongUse(`there is no job state "${text}"`, near === null ? `States: ${jobStates.join(", ")}` : `Did you mean ${near}?`);
}
