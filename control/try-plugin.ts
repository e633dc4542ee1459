import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashArtifact } from "../bridge/artifact.ts";
import { environmentRoot } from "../bridge/environment-store.ts";
import { countPackages, ensureEnvironment, hasEnvironment, type PluginLock } from "../bridge/environments.ts";
import type { ParsedPlugin } from "../bridge/manifest.ts";
import { createPluginPool, type PluginLimits } from "../bridge/pool.ts";
import { removeFolder } from "../bridge/scratch.ts";
import { readScriptBlock } from "../bridge/script-block.ts";
import { parseContract, refuseImpossible } from "../contracts/document.ts";
import { setsAside } from "../contracts/set-aside.ts";
import type { Contract } from "../domain/contract.ts";
import { WrongUse } from "../domain/failure.ts";
import { compileGlob } from "../domain/glob.ts";
import { objections, type GatekeeperFinding, type GatekeeperPolicy } from "../domain/gatekeeper.ts";
import type { Log } from "../domain/log.ts";
import type { PluginEnvironment, PluginFolder } from "../domain/plugin.ts";
import { findInputs } from "../trial/inputs.ts";
import { tryFile, type FileTrial, type TrialPlugin } from "../trial/try-file.ts";
import { examinePlugin } from "./gatekeeper.ts";
import { explainMissing, missingImports } from "./missing-imports.ts";
import { lockCode, parseCode, readCode, toolsFor, type PluginCode } from "./plugin-code.ts";
import type { PluginTools } from "./plugin-tools.ts";

export type { FileTrial } from "../trial/try-file.ts";

export interface TrialRequest {
  /** The plugin's file. */
  readonly file: string;
  /** Files, folders and globs. */
  readonly on: readonly string[];
  /** What relative ones are relative to. */
  readonly cwd: string;
  readonly filesMax: number;
  /** How many rows of each output are kept to be shown. */
  readonly rowsShown: number;
  readonly contracts: readonly ContractText[];
}

/** A contract as people write it. */
export interface ContractText {
  /** Null for the plugin's only output. */
  readonly output: string | null;
  readonly text: string;
  readonly where: string;
}

export interface TrialMeans {
  readonly tools: PluginTools;
  /** Its environments are those that workers use. */
  readonly stateDir: string;
  readonly limits: PluginLimits;
  /** Whether nothing runs where the kernel lacks a wall of the sandbox. */
  readonly requireSandbox?: boolean | undefined;
  /** Off unless given. */
  readonly gatekeeper?: GatekeeperPolicy;
  readonly log: Log;
  readonly onProgress: (step: string) => void;
  readonly signal: AbortSignal;
}

export interface PluginTrial {
  readonly plugin: {
    readonly name: string;
    readonly path: string;
    /** For what it yields without a name. */
    readonly topic: string;
    readonly patterns: readonly string[];
  };
  readonly environment: {
    readonly hash: string;
    readonly python: string;
    readonly packages: number;
    /** False where it was there already. */
    readonly built: boolean;
    /** Of locking and building. */
    readonly seconds: number;
  };
  /** Sentences. */
  readonly warnings: readonly string[];
  /** What publishing would warn of or refuse, as far as it can be told without asking a service. */
  readonly gatekeeper: readonly GatekeeperFinding[];
  readonly files: readonly FileTrial[];
  /** Files that there are beyond the limit. */
  readonly filesLeft: number;
  /** Files of folders that the plugin's patterns don't take. */
  readonly filesNotTaken: number;
  readonly failed: number;
}

/** Tries one plugin as often as it is asked to, each time as its file is then. What is the same as before is not made again. */
export interface Trials {
  /**
   * `onBegin` is called with everything but the files, `onFile` as each one is done. Throws WrongUse for what was asked, TerminalFailure of
   * `readPlugin`, `lockPlugin` and `ensureEnvironment`; a file on which the plugin fails is no exception, but part of the result.
   */
  run(request: TrialRequest, on?: { onBegin?(trial: PluginTrial): void; onFile?(file: FileTrial): void }): Promise<PluginTrial>;
  close(): Promise<void>;
}

/** Needs no record and no services: only Python, and uv where an environment is to be locked or built. */
export async function openTrials(means: TrialMeans): Promise<Trials> {
  const folder = await mkdtemp(join(tmpdir(), "casparian-trial-"));
  const pool = createPluginPool({ log: means.log, maxParents: 1, requireSandbox: means.requireSandbox });
  let locked: { readonly declared: string; readonly lock: PluginLock } | undefined;
  let runs = 0;

  async function lock(tools: PluginTools, code: PluginCode): Promise<PluginLock> {
    const declared = JSON.stringify(code.project ?? readScriptBlock(code.source)?.toml ?? null);
    if (locked?.declared !== declared) locked = { declared, lock: await lockCode(tools, code) };
    return locked.lock;
  }

  return {
    async run(request, on = {}) {
      const code = await readCode(request.file);
      const { source, folder: pluginFolder } = code;
      const tools = await toolsFor(means.tools, code);
      const parsed = await parseCode(tools.python, code);
      const { topic, patterns, process } = parsed.manifest;
      const contracts = contractsOf(request.contracts, parsed, code.defaultName);
      const { inputs, ...counts } = await findInputs(request.on, { cwd: request.cwd, limit: request.filesMax, takes: takenBy(patterns) });
      const began = performance.now();
      const pluginLock = await lock(tools, code);
      const { environment } = pluginLock;
      const gatekeeper = await findObjections({ ...means, tools }, { source, folder: pluginFolder, parsed, lock: pluginLock });
      const place = { environment, root: environmentRoot(means.stateDir), interpreter: tools.python, pythons: tools.pythons };
      const built = await hasEnvironment(place);
      const { signal, log, onProgress, limits } = means;
      const python = built ?? (await ensureEnvironment({ ...tools, ...place, signal, log, onProgress })).python;
      const name = parsed.name ?? code.defaultName;
      const artifactHash = hashArtifact(source, environment.hash, pluginFolder);
      const path = pluginFolder === null ? request.file : join(request.file, pluginFolder.entry);
      const run = { name, path, sourceCode: source, folder: pluginFolder, artifactHash, defaultOutput: topic, process };
      const plugin: TrialPlugin = { ...run, python, contracts };
      const files: FileTrial[] = [];
      const trial = (): PluginTrial => ({
        plugin: { name, path: request.file, topic, patterns },
        environment: {
          hash: environment.hash,
          python: environment.python,
          packages: countPackages(environment),
          built: built === null,
          seconds: (performance.now() - began) / 1000,
        },
        warnings: [...parsed.notices, ...warnOfImports(parsed, environment), ...warnOfContracts(contracts, files)],
        gatekeeper,
        files,
        filesLeft: counts.found - inputs.length,
        filesNotTaken: counts.notTaken,
        failed: files.filter(({ failure }) => failure !== null).length,
      });
      const begun = trial();
      on.onBegin?.(begun);
      for (const input of inputs) {
        const scratchDir = join(folder, String((runs += 1)));
        const file = await tryFile(plugin, input, { pool, limits, rowsShown: request.rowsShown, scratchDir, signal });
        files.push(file);
        on.onFile?.(file);
      }
      return { ...trial(), environment: begun.environment };
    },
    async close() {
      await pool.close();
      await removeFolder(folder);
    },
  };
}

/** A plugin without patterns takes whatever a rule gives it. */
function takenBy(patterns: readonly string[]): (relPath: string) => boolean {
  const globs = patterns.map((pattern) => compileGlob(pattern));
  return (relPath) => globs.length === 0 || globs.some((matches) => matches(relPath));
}

async function findObjections(
  { tools, gatekeeper: policy }: TrialMeans,
  plugin: { readonly source: string; readonly folder: PluginFolder | null; readonly parsed: ParsedPlugin; readonly lock: PluginLock },
): Promise<readonly GatekeeperFinding[]> {
  return policy === undefined || policy.mode === "off" ? [] : objections(await examinePlugin({ ...plugin, tools, audit: null }), policy);
}

function warnOfImports(parsed: ParsedPlugin, environment: PluginEnvironment): readonly string[] {
  const missing = missingImports(parsed.imports, environment.lockfile);
  if (missing.length === 0) return [];
  const { message, hint } = explainMissing(missing, parsed.hasDependencies);
  return [`${message}. ${hint}`];
}

/** A contract without an output is for the only one that the code names; where it names none, for what is yielded without a name. */
function contractsOf(texts: readonly ContractText[], parsed: ParsedPlugin, stem: string): ReadonlyMap<string, Contract> {
  const { topic } = parsed.manifest;
  const named = parsed.publishes.filter((output) => setsAside(output, topic) === null);
  const contracts = new Map<string, Contract>();
  for (const { output: asked, text, where } of texts) {
    // Old plugins have no manifest, so their topic is the file's name, and what they publish has another.
    const output = asked ?? (named.length === 1 && topic === stem ? named[0]! : topic);
    if (contracts.has(output))
      throw new WrongUse(`there are two contracts for output ${output}`, "Name the output of each: --contract OUTPUT=FILE");
    const contract = parseContract(text, where);
    // Nested types are known where a plugin has yielded them, which is not on record here.
    refuseImpossible(
      contract,
      contract.columns.filter(({ type }) => type.includes("<")),
    );
    contracts.set(output, contract);
  }
  return contracts;
}

function warnOfContracts(contracts: ReadonlyMap<string, Contract>, files: readonly FileTrial[]): readonly string[] {
  const yielded = new Set(files.flatMap(({ outputs, failure }) => [...outputs.map(({ output }) => output), ...(failure ? [null] : [])]));
  // A file that failed may not have come to it.
  if (yielded.has(null) || files.length === 0) return [];
  return [...contracts.keys()]
    .filter((output) => !yielded.has(output))
    .map((output) => `no file gave output ${output}, for which there is a contract; there were ${[...yielded].join(", ") || "none"}`);
}
