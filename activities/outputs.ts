import type { PluginHandlers, PluginReport } from "../bridge/pool.ts";
import type { LedgerEntry } from "../db/job-output.ts";
import type { JobToRun } from "../db/job.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { PluginArtifact, TopicConfig } from "../domain/plugin.ts";
import { defaultTopic, type Topic } from "../domain/topic.ts";
import type { Sinks } from "../sinks/registry.ts";
import type { SinkWriter } from "../sinks/sink.ts";

/** More outputs from one file than this are taken for a mistake. */
const outputsMax = 200;

/** The writers of one attempt: what a plugin sends goes through `handlers` to the sinks. */
export interface Outputs {
  readonly handlers: PluginHandlers;
  /** Throws where the plugin's own counts are not those that arrived. */
  compareCounts(report: PluginReport): void;
  /** Makes everything durable; the entries say what is staged and all counts. */
  stage(): Promise<readonly LedgerEntry[]>;
  /** Removes everything that was staged. */
  abort(): Promise<void>;
}

interface OpenOutput {
  readonly writer: SinkWriter;
  readonly topic: Topic;
  rowsReceived: number;
  rowsSent: number;
}

export function openOutputs(options: {
  readonly job: JobToRun;
  readonly version: FileVersion;
  readonly artifact: PluginArtifact;
  readonly topics: TopicConfig;
  readonly sinks: Sinks;
  readonly onProgress: (progress: unknown) => void;
  /** Throws where the target has a result of the same file already, so that the plugin need not run to its end. */
  readonly refuseSecond: (output: { readonly uri: string; readonly output: string }) => Promise<void>;
}): Outputs {
  const { job, version, artifact, topics, sinks, onProgress } = options;
  const open = new Map<string, OpenOutput>();
  const lineage = {
    sourceHash: version.contentHash,
    jobId: job.id,
    fileVersionId: version.id,
    processedAt: new Date(),
    pluginVersion: `${artifact.name}@${artifact.version}`,
  };

  return {
    handlers: {
      async open(output, schema) {
        if (open.size >= outputsMax) throw tooManyOutputs(artifact.name);
        const topic = topics.get(output) ?? defaultTopic(output);
        if (topic.mode === "error") await options.refuseSecond({ ...topic, output });
        const writer = await sinks.forUri(topic.uri).open({
          ...topic,
          output,
          jobId: job.id,
          attempt: job.attempt,
          pluginName: artifact.name,
          locationId: version.locationId,
          artifactHash: artifact.artifactHash,
          relPath: version.relPath,
          lineage,
          schema,
        });
        open.set(output, { writer, topic, rowsReceived: 0, rowsSent: 0 });
      },
      async message(output, message) {
        const target = open.get(output)!;
        target.rowsReceived += message.rows;
        await target.writer.write(message);
        onProgress({ rows: Object.fromEntries([...open].map(([name, { rowsReceived }]) => [name, rowsReceived])) });
      },
    },
    compareCounts(report) {
      for (const { output, rowsSent } of report.outputs) {
        const target = open.get(output);
        if (target === undefined || target.rowsReceived !== rowsSent) throw unequalCounts(output, rowsSent, target?.rowsReceived ?? 0);
        target.rowsSent = rowsSent;
      }
    },
    async stage() {
      return Promise.all(
        [...open.values()].map(async ({ writer, rowsReceived, rowsSent }) => ({ ...(await writer.stage()), rowsReceived, rowsSent })),
      );
    },
    async abort() {
      await Promise.all([...open.values()].map(({ writer }) => writer.abort()));
    },
  };
}

/** With mode `error` a file has one result in a target. */
export function resultExists({ uri, output }: { readonly uri: string; readonly output: string }, jobId: string): TerminalFailure {
  return new TerminalFailure({
    code: "RESULT_EXISTS",
    message: `${uri} has a result of output ${output} of this file already, that of job ${jobId}, and the topic's mode is "error"`,
    hint: `See it with: casparian jobs show ${jobId}. To take its place: casparian topic set PLUGIN ${output} ${uri} --mode replace; then retry the job`,
    data: { jobId },
  });
}

function tooManyOutputs(plugin: string): TerminalFailure {
  return new TerminalFailure({
    code: "TOO_MANY_OUTPUTS",
    message: `plugin ${plugin} opened more than ${outputsMax} outputs for one file`,
    hint: "Yield rows of one kind under one output name; use a column, not a name, for what differs from row to row",
  });
}

function unequalCounts(output: string, rowsSent: number, rowsReceived: number): TerminalFailure {
  return new TerminalFailure({
    code: "LEDGER_UNBALANCED",
    message: `output ${output}: the plugin counted ${rowsSent} rows, ${rowsReceived} arrived`,
    hint: "Nothing was committed; retry the job, and report this if it happens again",
  });
}
