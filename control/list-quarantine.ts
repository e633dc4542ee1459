import { listRejected, summarizeRejected, type QuarantineFilter, type QuarantineRow, type QuarantineSummary } from "../db/quarantine.ts";
import { WrongUse } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { findJob, isId } from "./show-job.ts";

export type { QuarantineFilter, QuarantineRow, QuarantineSummary } from "../db/quarantine.ts";

/** What was set aside, by job and output, newest first. Throws WrongUse for an unknown plugin or job. */
export async function listQuarantine(
  context: ControlContext,
  filter: QuarantineFilter,
  limit: number,
): Promise<readonly QuarantineSummary[]> {
  return summarizeRejected(context.db, await known(context, filter), limit);
}

/** Rows that were set aside, with reasons and values, oldest first. Throws WrongUse for an unknown plugin or job. */
export async function readQuarantine(context: ControlContext, filter: QuarantineFilter, limit: number): Promise<readonly QuarantineRow[]> {
  return listRejected(context.db, await known(context, filter), { limit });
}

const pageRows = 5_000;

/** The same for all of them, page by page. */
export async function* streamQuarantine(context: ControlContext, filter: QuarantineFilter): AsyncGenerator<readonly QuarantineRow[]> {
  const checked = await known(context, filter);
  for (let afterId = "0"; ;) {
    const page = await listRejected(context.db, checked, { afterId, limit: pageRows });
    if (page.length === 0) return;
    yield page;
    afterId = page.at(-1)!.id;
  }
}

/** The rows of a replay are those of the job that set them aside. */
async function known({ db }: ControlContext, filter: QuarantineFilter): Promise<QuarantineFilter> {
  const { jobId, plugin } = filter;
  if (jobId !== undefined && !isId(jobId)) throw new WrongUse(`"${jobId}" is no job's id`, "casparian quarantine list shows them");
  if (plugin !== undefined) await findPlugin(db, plugin);
  return jobId === undefined ? filter : { ...filter, jobId: (await findJob(db, jobId)).replayOf ?? jobId };
}
