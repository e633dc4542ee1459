import type { PluginHandlers, PluginReport } from "../bridge/pool.ts";
import { columnsOf, ContractDrift, createScreen, type Screen } from "../contracts/screen.ts";
import type { Drift } from "../db/contract.ts";
import type { StagedEntry } from "../db/job-output.ts";
import type { JobToRun } from "../db/job.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { ContractColumn, ContractVersion, RejectedRow } from "../domain/contract.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { PluginArtifact, TopicConfig } from "../domain/plugin.ts";
import { defaultTopic, type Topic } from "../domain/topic.ts";
import type { Sinks } from "../sinks/registry.ts";
import type { SinkWriter } from "../sinks/sink.ts";
import { createQuarantine, type Quarantine } from "../contracts/quarantine.ts";
import { asideOfNothing, createSetAside, setsAside } from "../contracts/set-aside.ts";
import { resultWriters } from "./result-writers.ts";
import { unbalanced } from "./unbalanced.ts";

/** More outputs from one file than this are taken for a mistake. */
const outputsMax = 200;

/** The writers of one attempt: what a plugin sends goes through `handlers`, past the contracts, to the sinks. */
export interface Outputs {
  readonly handlers: PluginHandlers;
  /** Throws where the plugin's own counts are not those that arrived. */
  compareCounts(report: PluginReport): void;
  /** Makes everything durable; the entries say what is staged and all counts. */
  stage(): Promise<readonly StagedEntry[]>;
  /** Where columns were not those of the contract, also where the attempt fails by it. */
  drifts(): readonly Drift[];
  /** Removes everything that was staged. */
  abort(): Promise<void>;
}

interface OpenOutput {
  readonly writer: SinkWriter;
  readonly topic: Topic;
  readonly contract: ContractVersion | null;
  /** Null without a contract: then all rows pass as they are. */
  readonly screen: Screen | null;
  readonly givenColumns: readonly ContractColumn[];
  readonly schema: ArrowMessage;
  rowsReceived: number;
  rowsSent: number;
}

/** The rows that the plugin itself sets aside from an output. */
interface SetAside {
  readonly output: string;
  readonly read: (message: ArrowMessage) => readonly RejectedRow[];
  rowsReceived: number;
  rowsSent: number;
}

export function openOutputs(options: {
  readonly job: JobToRun;
  readonly version: FileVersion;
  readonly artifact: PluginArtifact;
  readonly topics: TopicConfig;
  /** In force, by output. */
  readonly contracts: ReadonlyMap<string, ContractVersion>;
  readonly sinks: Sinks;
  readonly onProgress: (progress: unknown) => void;
  /** Throws where the target has a result of the same file already, so that the plugin need not run to its end. */
  readonly refuseSecond: (output: { readonly uri: string; readonly output: string }) => Promise<void>;
}): Outputs {
  const { job, version, artifact, topics, contracts, sinks, onProgress } = options;
  const open = new Map<string, OpenOutput>();
  const setAside = new Map<string, SetAside>();
  const quarantines = new Map<string, Quarantine>();
  const drifts: Drift[] = [];
  const openResult = resultWriters({ job, version, artifact, sinks });

  function quarantineOf(output: string): Quarantine {
    const known = quarantines.get(output) ?? createQuarantine(output, contracts.get(output) ?? { rowsMax: null, shareMax: null });
    quarantines.set(output, known);
    return known;
  }

  function screenOf(output: string, schema: ArrowMessage, givenColumns: readonly ContractColumn[]): Screen | null {
    const contract = contracts.get(output);
    if (contract === undefined) return null;
    const drift = { output, contractId: contract.id, givenColumns };
    try {
      const screen = createScreen({ contract, output, schema });
      if (screen.changes.length > 0) drifts.push({ ...drift, changes: screen.changes, refused: false });
      return screen;
    } catch (error) {
      if (error instanceof ContractDrift) drifts.push({ ...drift, changes: error.changes, refused: true });
      throw error;
    }
  }

  async function openWriter(output: string, schema: ArrowMessage): Promise<void> {
    const topic = topics.get(output) ?? defaultTopic(output);
    if (topic.mode === "error") await options.refuseSecond({ ...topic, output });
    const givenColumns = columnsOf(schema);
    const screen = screenOf(output, schema, givenColumns);
    const writer = await openResult({ ...topic, output, schema: screen?.schema ?? schema });
    const kept = { kind: "schema", rows: 0, bytes: new Uint8Array(schema.bytes) } as const;
    const contract = contracts.get(output) ?? null;
    open.set(output, { writer, topic, contract, screen, givenColumns, schema: kept, rowsReceived: 0, rowsSent: 0 });
  }

  async function write(output: string, message: ArrowMessage): Promise<void> {
    const { writer, screen, schema } = open.get(output)!;
    if (screen === null) return writer.write(message);
    const { message: passed, rejected, kept } = screen.take(message);
    if (rejected.length > 0) quarantineOf(output).add(rejected, kept && { schema, piece: kept });
    if (passed !== null) await writer.write(passed);
  }

  async function stageOne(output: string): Promise<StagedEntry> {
    const { writer, contract, screen, givenColumns, rowsReceived, rowsSent } = open.get(output)!;
    const aside = [...setAside.values()].find((each) => each.output === output);
    const rejected = quarantines.get(output)?.rejected ?? { rows: [], pieces: [] };
    return {
      ...(await writer.stage()),
      rowsReceived: rowsReceived + (aside?.rowsReceived ?? 0),
      rowsSent: rowsSent + (aside?.rowsSent ?? 0),
      rowsQuarantined: rejected.rows.length,
      contractId: contract?.id ?? null,
      givenColumns,
      nextColumns: screen?.nextColumns ?? null,
      rejected,
    };
  }

  return {
    handlers: {
      async open(output, schema) {
        if (open.size + setAside.size >= outputsMax) throw tooManyOutputs(artifact.name);
        const from = setsAside(output, artifact.manifest.topic);
        if (from === null) return openWriter(output, schema);
        setAside.set(output, { output: from, read: createSetAside(schema, output), rowsReceived: 0, rowsSent: 0 });
      },
      async message(output, message) {
        const aside = setAside.get(output);
        (aside ?? open.get(output)!).rowsReceived += message.rows;
        if (aside === undefined) await write(output, message);
        else quarantineOf(aside.output).add(aside.read(message), null);
        const all = [...open, ...setAside].map(([name, { rowsReceived }]) => [name, rowsReceived] as const);
        onProgress({ rows: Object.fromEntries(all) });
      },
    },
    compareCounts(report) {
      for (const { output, rowsSent } of report.outputs) {
        const target = open.get(output) ?? setAside.get(output);
        if (target === undefined || target.rowsReceived !== rowsSent)
          throw unbalanced(output, `the plugin counted ${rowsSent} rows, ${target?.rowsReceived ?? 0} arrived`);
        target.rowsSent = rowsSent;
      }
    },
    async stage() {
      const homeless = [...setAside.values()].find(({ output, rowsReceived }) => rowsReceived > 0 && !open.has(output));
      if (homeless !== undefined) throw asideOfNothing(homeless.output, `plugin ${artifact.name}`, [...open.keys()]);
      for (const [output, { rowsReceived }] of open) {
        const aside = [...setAside.values()].find((each) => each.output === output);
        quarantines.get(output)?.checkShare(rowsReceived + (aside?.rowsReceived ?? 0));
      }
      return Promise.all([...open.keys()].map(stageOne));
    },
    drifts: () => drifts,
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
