import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { afterAll } from "vitest";
import { createPluginPool, type PluginHandlers, type PluginLimits, type PluginPool, type PluginReport } from "../../bridge/pool.ts";
import type { TransportName } from "../../domain/transport.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import type { PluginGrants } from "../../domain/plugin-grant.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import type { PluginProcess } from "../../domain/plugin.ts";
import { quietLog } from "../support/quiet-log.ts";
import { sha256 } from "../support/sha256.ts";
import { testTools } from "../support/tools.ts";

export interface Run {
  /** A file of test/plugins without its ending; or give `source`. */
  readonly plugin?: string;
  readonly source?: string;
  /** The input file's content. */
  readonly input?: string | Uint8Array;
  readonly inputPath?: string;
  readonly limits?: Partial<PluginLimits>;
  readonly signal?: AbortSignal;
  readonly handlers?: Partial<PluginHandlers>;
  readonly python?: string;
  readonly grants?: PluginGrants;
  readonly process?: PluginProcess;
}

export interface Collected extends PluginReport {
  /** All messages of each output, in order. */
  readonly messages: ReadonlyMap<string, readonly ArrowMessage[]>;
}

export interface Runner {
  readonly pool: PluginPool;
  /** Holds inputs and scratch folders; empty of scratch folders when no run is under way. */
  readonly folder: string;
  run(run: Run): Promise<Collected>;
  /** For a run that must fail: its failure. */
  fail(run: Run): Promise<TerminalFailure | TransientFailure>;
}

/** A pool for the tests of one file, with the standard environment. */
export function createRunner(options: { readonly maxParents?: number; readonly transport?: TransportName } = {}): Runner {
  const pool = createPluginPool({ log: quietLog, ...options });
  const folder = mkdtempSync(join(tmpdir(), "cf-test-"));
  let runs = 0;
  afterAll(async () => {
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(asked: Run): Promise<Collected> {
    runs += 1;
    const name = asked.plugin ?? "inline";
    const sourceCode = asked.source ?? readFileSync(pluginPath(name), "utf8");
    const inputPath = asked.inputPath ?? join(folder, `input-${runs}.txt`);
    if (asked.inputPath === undefined) writeFileSync(inputPath, asked.input ?? "a,b\n1,x\n2,y\n");
    const messages = new Map<string, ArrowMessage[]>();
    const report = await pool.run(
      {
        jobId: String(runs),
        attempt: 1,
        plugin: {
          name,
          version: "1",
          artifactHash: sha256(sourceCode),
          sourceCode,
          defaultOutput: "output",
          process: asked.process,
        },
        python: asked.python ?? testTools().environmentPython,
        inputPath,
        scratchDir: join(folder, `scratch-${runs}`),
        limits: { seconds: 60, memoryBytes: 512 * 1024 * 1024, scratchBytes: 2 ** 30, logBytes: 1024 * 1024, ...asked.limits },
        grants: asked.grants,
        signal: asked.signal ?? new AbortController().signal,
      },
      {
        open: async (output, schema) => {
          messages.set(output, [copy(schema)]);
          await asked.handlers?.open?.(output, schema);
        },
        message: async (output, message) => {
          if (asked.handlers?.message === undefined) messages.get(output)?.push(copy(message));
          else await asked.handlers.message(output, message);
        },
      },
    );
    return { ...report, messages };
  }

  async function fail(failing: Run): Promise<TerminalFailure | TransientFailure> {
    const failure = await run(failing).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure instanceof TerminalFailure || failure instanceof TransientFailure) return failure;
    throw new Error(`the run should have failed, but ${failure === undefined ? "it succeeded" : "with another error"}`, { cause: failure });
  }

  return { pool, folder, run, fail };
}

function copy(message: ArrowMessage): ArrowMessage {
  return { ...message, bytes: message.bytes.slice() };
}

export function pluginPath(name: string): string {
  return join(import.meta.dirname, "..", "plugins", `${name}.py`);
}

/** The rows of an output as another program's reader sees them. */
export function rowsOf(collected: Collected, output = "output"): readonly Readonly<Record<string, unknown>>[] {
  const messages = collected.messages.get(output) ?? [];
  const end = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]);
  const table = tableFromIPC(Buffer.concat([...messages.map((message) => message.bytes), end]));
  return table.toArray().map((row: { toJSON(): Record<string, unknown> }) => row.toJSON());
}

/** What a job said on one stream. */
export function textOf(logs: unknown, stream: string): string {
  return (logs as PluginReport["logs"])
    .filter((chunk) => chunk.stream === stream)
    .map((chunk) => chunk.text)
    .join("");
}
