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
  await refuseUnknown(context, filter);
  return summarizeRejected(context.db, filter, limit);
}

/** Rows that were set aside, with reasons and values, oldest first. Throws WrongUse for an unknown plugin or job. */
export async function readQuarantine(context: ControlContext, filter: QuarantineFilter, limit: number): Promise<readonly QuarantineRow[]> {
  await refuseUnknown(context, filter);
  return listRejected(context.db, filter, { limit });
}

const pageRows = 5_000;

/** The same for all of them, page by page. */
export async function* streamQuarantine(context: ControlContext, filter: QuarantineFilter): AsyncGenerator<readonly QuarantineRow[]> {
  await refuseUnknown(context, filter);
  for (let afterId = "0"; ;) {
    const page = await listRejected(context.db, filter, { afterId, limit: pageRows });
    if (page.length === 0) return;
    yield page;
    afterId = page.at(-1)!.id;
  }
}

async function refuseUnknown({ db }: ControlContext, { jobId, plugin }: QuarantineFilter): Promise<void> {
  if (jobId !== undefined && !isId(jobId)) throw new WrongUse(`"${jobId}" is no job's id`, "casparian quarantine list shows them");
  if (jobId !== undefined) await findJob(db, jobId);
  if (plugin !== undefined) await findPlugin(db, plugin);
}
