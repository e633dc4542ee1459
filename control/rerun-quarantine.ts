import { insertAudit } from "../db/audit.ts";
import { offerVersions } from "../db/backlog.ts";
import { listJobs, outputsOf, type JobRow } from "../db/job-history.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { replayableOutputs } from "../db/replay.ts";
import { activeRules, type ActiveRule } from "../db/routing-rule.ts";
import { topicsOf } from "../db/topic.ts";
import { routeFile } from "../domain/route.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { defaultTopic } from "../domain/topic.ts";
import { targetUri } from "../sinks/tables/keep.ts";
import type { ControlContext } from "./context.ts";
import { jobsInQuarantine, type ReplayScope } from "./replay-quarantine.ts";

/** What becomes of the file of a job that has set rows aside. */
export interface RerunJob {
  readonly jobId: string;
  readonly plugin: string;
  readonly pluginVersion: string;
  /** By which the file is processed anew; null where there is none. */
  readonly newerVersion: string | null;
  readonly newerPluginId: string | null;
  readonly path: string;
  readonly fileVersionId: string;
  readonly rowsOpen: number;
  /** `queued`: the file is; `ready`: it would be; `waiting`: it is already; `refused`: it can't be. */
  readonly outcome: "queued" | "ready" | "waiting" | "refused";
  /** Why it was not queued; null where it was. */
  readonly reason: string | null;
  /** What to do first. */
  readonly hint: string | null;
}

/**
 * Has the plugin's active version process exactly those files again of which an earlier version has rows in quarantine; its results take the
 * place of the earlier ones. Queues nothing where they would stand beside them. Throws WrongUse as `replayQuarantine` does.
 */
export async function rerunQuarantine(
  context: ControlContext,
  scope: ReplayScope,
  { insert, signal }: { readonly insert: boolean; readonly signal?: AbortSignal | undefined },
): Promise<readonly RerunJob[]> {
  const { db, actor } = context;
  const rules = await activeRules(db);
  const rerun: RerunJob[] = [];
  for (const job of await jobsInQuarantine(context, scope)) {
    signal?.throwIfAborted();
    const planned = await plan(db, job, rules);
    if (planned === null) continue;
    rerun.push(insert && planned.outcome === "ready" ? await queue(planned) : planned);
  }
  return rerun;

  function queue(planned: RerunJob): Promise<RerunJob> {
    return transaction(db, async (tx) => {
      if ((await offerVersions(tx, [planned.fileVersionId])) === 0)
        return { ...planned, outcome: "waiting", reason: "the file waits already" };
      const { path, plugin, pluginVersion: from, newerVersion: by } = planned;
      await insertAudit(tx, { actor, action: "quarantine.rerun", subject: `job ${planned.jobId}`, detail: { path, plugin, from, by } });
      return { ...planned, outcome: "queued" };
    });
  }
}

/** Null for a job whose rows have all been replayed. */
async function plan(db: Queryable, job: JobRow, rules: readonly ActiveRule[]): Promise<RerunJob | null> {
  const inQuarantine = await replayableOutputs(db, [job.id]);
  const rowsOpen = inQuarantine.reduce((sum, output) => sum + output.rowsOpen, 0);
  if (rowsOpen === 0) return null;
  const route = routeFile(job.path, job.sourceId, rules).find(({ pluginName }) => pluginName === job.plugin);
  const { id: jobId, plugin, pluginVersion, path, fileVersionId } = job;
  const planned: RerunJob = {
    ...{ jobId, plugin, pluginVersion, path, fileVersionId, rowsOpen },
    newerVersion: route?.activeVersion ?? null,
    newerPluginId: route?.pluginId ?? null,
    outcome: "ready",
    reason: null,
    hint: null,
  };
  const refused = (reason: string, hint: string): RerunJob => ({ ...planned, outcome: "refused", reason, hint });
  const replacedBy = inQuarantine.find((output) => output.replacedBy !== null)?.replacedBy;
  if (replacedBy != null)
    return refused(`its result was replaced by that of job ${replacedBy}`, `casparian quarantine replay ${replacedBy} --dry-run`);
  if (job.pluginState === "ACTIVE")
    return refused(
      `${plugin} ${pluginVersion} is still the active version`,
      `Publish the mended one first: casparian plugin publish FILE --name ${plugin}`,
    );
  if (route === undefined) return refused(`no rule sends the file to an active version of ${plugin}`, `casparian rule test ${path}`);
  const had = (await listJobs(db, { fileVersionIds: [fileVersionId], plugin, limit: 1_000 })).find(
    ({ pluginId, replayOf }) => pluginId === route.pluginId && replayOf === null,
  );
  if (had !== undefined) {
    if (had.state === "QUEUED" || had.state === "RUNNING")
      return { ...planned, outcome: "waiting", reason: `job ${had.id} is ${had.state}` };
    return refused(`${plugin} ${route.activeVersion} has had the file: job ${had.id} is ${had.state}`, `casparian jobs show ${had.id}`);
  }
  return (await besideRefusal(db, job, route.activeVersion!, refused)) ?? planned;
}

/** Rows of two versions of a plugin are not to stand beside each other without anybody having said so. */
async function besideRefusal(
  db: Queryable,
  { id, plugin, pluginVersion }: JobRow,
  newerVersion: string,
  refused: (reason: string, hint: string) => RerunJob,
): Promise<RerunJob | null> {
  const topics = await topicsOf(db, plugin);
  for (const { output, uri, state, replacedAt } of await outputsOf(db, [id])) {
    const topic = topics.get(output) ?? defaultTopic(output);
    if (
      state !== "COMMITTED" ||
      replacedAt !== null ||
      targetUri(topic.uri) !== uri ||
      topic.mode === "replace" ||
      topic.mode === "overwrite"
    )
      continue;
    const shown = safeUrl(topic.uri);
    const why =
      topic.mode === "append"
        ? `the rows of ${plugin} ${newerVersion} would stand beside those of ${pluginVersion}`
        : `a second result of a file is refused there`;
    return refused(
      `output ${output} goes to ${shown} with mode ${topic.mode}: ${why}`,
      `casparian topic set ${plugin} ${output} ${shown} --mode replace, then again`,
    );
  }
  return null;
}
