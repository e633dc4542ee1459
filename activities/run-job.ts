import { requireSignature } from "../bridge/artifact.ts";
import { blameEnvironment } from "../bridge/environment-health.ts";
import { messageOf, TerminalFailure, TransientFailure } from "../domain/failure.ts";
import type { PluginArtifact, PluginEnvironment } from "../domain/plugin.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { PluginReport } from "../bridge/pool.ts";
import { saveLog } from "../db/job-log.ts";
import { contractsOf, insertDrift } from "../db/contract.ts";
import { markDiscarded, strandedOutputs } from "../db/job-output.ts";
import { beginAttempt, endAttempt, lockJob, setJobState, type AttemptEnd, type JobToRun } from "../db/job.ts";
import { transaction } from "../db/pool.ts";
import { grantsOf } from "../db/plugin-grant.ts";
import { forgetStagedReplays } from "../db/replay.ts";
import { hasResult } from "../db/standing.ts";
import { topicsOf } from "../db/topic.ts";
import { targetUri } from "../sinks/tables/keep.ts";
import { enterLedger } from "./enter-ledger.ts";
import { openInput, type JobInput } from "./input.ts";
import { openOutputs, resultExists, type Outputs } from "./outputs.ts";
import { replayRows } from "./replay-rows.ts";
import type { JobDependencies } from "./job.ts";

/** How a run ended, where it did not throw. */
export type RunOutcome =
  | { readonly outcome: "STAGED"; readonly attempt: number }
  /** No runner that the plugin is bound to has a place: nothing was begun, and is looked for again after so long. */
  | { readonly outcome: "WAITING"; readonly againMs: number }
  | { readonly outcome: "SUPERSEDED" | "COMPLETED" | "PARTIAL" | "FAILED" | "CANCELLED" | "SKIPPED" | "HELD" };

export interface RunContext extends JobDependencies {
  readonly signal: AbortSignal;
  readonly heartbeat: (progress: unknown) => void;
  readonly artifactOf: (pluginId: string) => Promise<PluginArtifact & { readonly environment: PluginEnvironment }>;
  readonly pythonOf: (environmentHash: string) => Promise<string>;
  readonly scratchDir: string;
}

/**
 * One attempt of a job: the file is compared with its version, the plugin runs, its rows are staged, the file is compared again, and
 * what is staged is entered in the ledger. A replay has neither file nor plugin: its rows are in the record.
 *
 * Dying between any two steps leaves at most staged files, which the next attempt removes: nothing is visible before the commit.
 */
export async function runJob(jobId: string, context: RunContext): Promise<RunOutcome> {
  const begun = await begin(jobId, context);
  if ("outcome" in begun) return begun;
  const { job } = begun;
  const startedAt = performance.now();
  try {
    const version = await context.versionOf(job.fileVersionId);
    return await (job.replayOf === null ? attempt(job, version, context) : replayRows(job, job.replayOf, version, context));
  } catch (error) {
    await recordFailure(job, error, context);
    throw error;
  } finally {
    if (job.replayOf === null) context.pace.note(job.pluginId, (performance.now() - startedAt) / 1000);
  }
}

/** Takes the job for a new attempt, unless it has ended or has everything staged. */
async function begin(jobId: string, context: RunContext): Promise<RunOutcome | { readonly job: JobToRun }> {
  const { db, sinks } = context;
  return transaction(db, async (tx) => {
    const job = await lockJob(tx, jobId);
    if (job === null) throw new TerminalFailure({ code: "UNKNOWN_JOB", message: `job ${jobId} is not in the record` });
    if (job.state !== "QUEUED" && job.state !== "RUNNING") return { outcome: job.state };
    if (job.staged) return { outcome: "STAGED" as const, attempt: job.attempt };
    const number = await beginAttempt(tx, jobId, context.worker);
    // The first attempt finds nothing of others.
    for (const entry of number === 1 ? [] : await strandedOutputs(tx, jobId, number)) {
      await sinks.forUri(entry.uri).discard(entry);
      await markDiscarded(tx, jobId, entry.attempt);
    }
    if (job.replayOf !== null) await forgetStagedReplays(tx, jobId);
    return { job: { ...job, attempt: number } };
  });
}

async function attempt(job: JobToRun, version: FileVersion, context: RunContext): Promise<RunOutcome> {
  if (job.pluginRejected !== null) throw rejectedPlugin(job.pluginName, job.pluginRejected);
  const opened = await openInput(version, context.signal, context);
  if (!opened.same) return supersede(job, version, opened.reason, context);
  await using input = opened.input;

  const { report, outputs } = await runPlugin(job, { version, input }, context);
  try {
    const after = await input.verify(context.signal);
    if (!after.same) {
      await outputs.abort();
      return await supersede(job, version, after.reason, context, report);
    }
    const { logs, peakMemoryBytes } = report;
    return await enterLedger(
      job,
      { entries: await outputs.stage(), drifts: outputs.drifts(), logs, peakMemoryBytes, replayed: [] },
      context,
    );
  } catch (error) {
    await outputs.abort();
    throw error;
  }
}

function rejectedPlugin(name: string, reason: string): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_REJECTED",
    message: `the version of ${name} that the job is for was rejected: ${reason}`,
    hint: `It never runs again. With another version active: casparian backfill ${name}`,
  });
}

async function runPlugin(
  job: JobToRun,
  { version, input }: { readonly version: FileVersion; readonly input: JobInput },
  context: RunContext,
): Promise<{ readonly report: PluginReport; readonly outputs: Outputs }> {
  const { db, sinks, pool, signal } = context;
  const artifact = await context.artifactOf(job.pluginId);
  // What is kept of an artifact is what never changes, and it may have been signed since.
  requireSignature({ ...artifact, signature: job.pluginSignature }, context.trust.keys(), context.trust.requireSignature);
  const [python, topics, contracts, grants] = await Promise.all([
    context.pythonOf(artifact.environmentHash),
    topicsOf(db, artifact.name),
    contractsOf(db, artifact.name),
    grantsOf(db, artifact.name),
  ]);
  const outputs = openOutputs({
    job,
    version,
    artifact,
    topics,
    contracts,
    sinks,
    onProgress: context.heartbeat,
    async refuseSecond(output) {
      const other = await hasResult(db, job.id, { ...output, uri: targetUri(output.uri) });
      if (other !== null) throw resultExists(output, other);
    },
  });
  try {
    const report = await pool.run(
      {
        jobId: job.id,
        attempt: job.attempt,
        plugin: {
          name: artifact.name,
          version: artifact.version,
          artifactHash: artifact.artifactHash,
          sourceCode: artifact.sourceCode,
          folder: artifact.folder,
          defaultOutput: artifact.manifest.topic,
          process: artifact.manifest.process,
        },
        python,
        environment: artifact.environment,
        contentHash: version.contentHash,
        inputPath: input.path,
        inputRoot: input.root,
        grants,
        scratchDir: context.scratchDir,
        limits: context.limits,
        signal,
      },
      outputs.handlers,
    );
    outputs.compareCounts(report);
    return { report, outputs };
  } catch (error) {
    await outputs.abort();
    const refused = outputs.drifts().filter((drift) => drift.refused);
    if (refused.length > 0) await transaction(db, async (tx) => Promise.all(refused.map((drift) => insertDrift(tx, job, drift))));
    throw await blameEnvironment(python, error);
  }
}

/** The file is no longer what the version says: no result; the scan that is asked for finds what it is now. */
async function supersede(
  job: JobToRun,
  version: FileVersion,
  reason: string,
  context: RunContext,
  report?: PluginReport,
): Promise<RunOutcome> {
  await transaction(context.db, async (tx) => {
    if (report !== undefined) await saveLog(tx, job.id, job.attempt, report.logs);
    const error = { code: "SUPERSEDED", message: reason, hint: "Its newer version, if there is one, gets a job of its own" };
    await endAttempt(tx, job.id, job.attempt, { outcome: "SUPERSEDED", errorCode: error.code, errorMessage: reason });
    await setJobState(tx, job.id, "SUPERSEDED", error);
  });
  context.log.info(`${job.relPath} → ${job.pluginName}: SUPERSEDED: ${reason}`, { job: job.id });
  await context.requestScan(version.sourceName, version.archive?.relPath ?? version.relPath);
  return { outcome: "SUPERSEDED" };
}

/** Keeps the plugin's log and the attempt's end. What becomes of the job is the workflow's business: a transient failure is tried again. */
async function recordFailure(job: JobToRun, error: unknown, { db, signal, log }: RunContext): Promise<void> {
  const failure = error instanceof TerminalFailure || error instanceof TransientFailure ? error : null;
  const end: AttemptEnd = {
    outcome: signal.aborted ? "CANCELLED" : failure instanceof TerminalFailure ? "FAILED" : "LOST",
    errorCode: failure?.code ?? "UNEXPECTED",
    errorMessage: messageOf(error),
  };
  const logs = (failure?.data.logs ?? []) as PluginReport["logs"];
  try {
    await transaction(db, async (tx) => {
      await saveLog(tx, job.id, job.attempt, logs);
      await endAttempt(tx, job.id, job.attempt, end);
    });
  } catch (unrecorded) {
    log.warn("the end of an attempt could not be recorded", { job: job.id, attempt: job.attempt, reason: messageOf(unrecorded) });
  }
}
