import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireSignature, requireWhole } from "../bridge/artifact.ts";
import { environmentRoot } from "../bridge/environment-store.ts";
import { ensureEnvironment } from "../bridge/environments.ts";
import { createPluginPool, type PluginLimits, type PluginPool } from "../bridge/pool.ts";
import { removeFolder } from "../bridge/scratch.ts";
import { readTrustedKeys } from "../bridge/trusted-keys.ts";
import { insertAudit } from "../db/audit.ts";
import { findComparison, insertComparison, type ComparisonRequest, type ComparisonRow } from "../db/comparison.ts";
import { contractsOf } from "../db/contract.ts";
import { loadFileVersion } from "../db/file-version.ts";
import { grantsOf } from "../db/plugin-grant.ts";
import { loadArtifact, type PluginSummary } from "../db/plugin.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import type { ComparisonOptions, FileComparison, OutputComparison, Sides } from "../domain/comparison.ts";
import { TerminalFailure, TransientFailure, WrongUse } from "../domain/failure.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { Log } from "../domain/log.ts";
import { compareFile, type ComparedFile } from "../trial/compare/compare-file.ts";
import { countsOf, sumUp, timeOf } from "../trial/compare/sum-up.ts";
import type { TrialPlugin } from "../trial/try-file.ts";
import { chooseVersions } from "./choose-versions.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";
import { parsePluginReference } from "./plugin-reference.ts";
import type { PluginTools } from "./plugin-tools.ts";
import { refuseRejected } from "./reject-plugin.ts";

export interface CompareRequest extends Omit<ComparisonRequest, "source"> {
  /** `clean@2`; without a version the newest one. */
  readonly plugin: string;
  /** `clean@1`, or `1`; the active version unless given. */
  readonly against?: string | undefined;
  readonly source?: string | undefined;
  /** Whether the first file that differs ends it. */
  readonly failFast: boolean;
}

/** A version's very bytes, as a job reads them. */
export interface OpenedBytes extends AsyncDisposable {
  readonly path: string;
  readonly root: string;
  /** Whether they were that until now. Throws TransientFailure where it can't be told. */
  verify(signal: AbortSignal): Promise<{ readonly same: true } | { readonly same: false; readonly reason: string }>;
}

export interface CompareMeans {
  readonly tools: PluginTools;
  /** Its environments are those that workers use. */
  readonly stateDir: string;
  readonly limits: PluginLimits;
  /** Whether nothing runs where the kernel lacks a wall of the sandbox. */
  readonly requireSandbox?: boolean | undefined;
  readonly trust: { readonly trustedKeys: string; readonly requireSignature: boolean };
  /** A reason where the bytes are no longer to be had. Throws TerminalFailure and TransientFailure where they can't be read. */
  readonly openBytes: (db: Queryable, version: FileVersion, signal: AbortSignal) => Promise<OpenedBytes | { readonly reason: string }>;
  readonly log: Log;
  readonly onProgress: (step: string) => void;
  readonly signal: AbortSignal;
}

/** Compares versions of plugins; what it makes on the disk is gone when it is closed. */
export interface Comparisons {
  /**
   * Has two versions process the same files on record, writes nothing to sinks or ledger, and keeps what differs in the record. Throws
   * WrongUse for what was asked, TerminalFailure NOTHING_COMPARED where no file could be compared: then nothing is kept.
   */
  run(
    context: ControlContext,
    request: CompareRequest,
    onFile?: (file: FileComparison, done: number, of: number) => void,
  ): Promise<ComparisonRow>;
  close(): Promise<void>;
}

export async function openComparisons(means: CompareMeans): Promise<Comparisons> {
  const folder = await mkdtemp(join(tmpdir(), "casparian-compare-"));
  const pool = createPluginPool({ log: means.log, maxParents: 2, requireSandbox: means.requireSandbox });
  let running: Promise<unknown> = Promise.resolve();
  return {
    run(context, request, onFile = () => {}) {
      const work = compare(context, request, { means, folder, pool, onFile });
      running = work.catch(() => {});
      return work;
    },
    async close() {
      // Somebody who has interrupted it doesn't wait for it.
      await running;
      await pool.close();
      await removeFolder(folder);
    },
  };
}

interface Bench {
  readonly means: CompareMeans;
  readonly folder: string;
  readonly pool: PluginPool;
  readonly onFile: (file: FileComparison, done: number, of: number) => void;
}

async function compare(context: ControlContext, request: CompareRequest, bench: Bench): Promise<ComparisonRow> {
  const { db, actor } = context;
  const startedAt = new Date();
  const { before, after } = await findSides(db, request);
  const { failFast, on, source = null, allVersions, limit, key, tolerance } = request;
  const asked: ComparisonRequest = { on, source, allVersions, limit, key, tolerance };
  const versions = await chooseVersions(db, { pluginName: after.name, on, source, allVersions, newestFirst: true }, limit);
  if (versions.length === 0)
    throw new WrongUse(
      on === null ? `no file on record goes to ${after.name} by its rules` : `no file on record matches ${on}`,
      on === null ? "Name files: --on '*.csv'; casparian files lists those on record" : "casparian files lists those on record",
    );
  const plugins = { before: await makeReady(db, before, bench.means), after: await makeReady(db, after, bench.means) };
  const files: FileComparison[] = [];
  const parts: OutputComparison[] = [];
  for (const [index, { versionId }] of versions.entries()) {
    const { file, outputs } = await compareVersion(db, versionId, plugins, { ...bench, options: { key, tolerance }, turn: index });
    files.push(file);
    parts.push(...outputs);
    bench.onFile(file, files.length, versions.length);
    if (failFast && file.outcome === "different") break;
  }
  refuseNothing(files);
  const outputs = [...Map.groupBy(parts, ({ output }) => output).values()].map(sumUp);
  const verdict = files.some(({ outcome }) => outcome === "different") ? "DIFFERENT" : "SAME";
  const result = { verdict, isComplete: files.length === versions.length, files, outputs, timing: timeOf(files) } as const;
  const id = await transaction(db, async (tx) => {
    const kept = await insertComparison(tx, { plugin: after.name, before, after, actor, startedAt, request: asked, result });
    const detail = { comparison: kept, verdict, against: before.version };
    await insertAudit(tx, { actor, action: "plugin.compare", subject: `${after.name}@${after.version}`, detail });
    return kept;
  });
  return (await findComparison(db, id))!;
}

/** The two versions: that which is to take the place, and the one against which it is held. */
async function findSides(db: Queryable, { plugin, against }: CompareRequest): Promise<Sides<PluginSummary>> {
  const { name, version } = parsePluginReference(plugin);
  const other = against === undefined || !against.includes("@") ? { name, version: against } : parsePluginReference(against);
  if (other.name !== name)
    throw new WrongUse(`${against} is not a version of ${name}`, "Versions of one plugin are compared: --against VERSION");
  const versions = await findPlugin(db, name);
  const after = version === undefined ? versions[0] : await findPluginVersion(db, name, version);
  const before = await findPluginVersion(db, name, other.version);
  if (after.id === before.id)
    throw new WrongUse(
      `${name} ${after.version} would be compared with itself`,
      versions.length === 1
        ? `Publish the other version first: casparian plugin publish FILE --name ${name} --stage`
        : `Name another one: --against VERSION; there are ${versions.map((each) => each.version).join(", ")}`,
    );
  for (const side of [before, after]) refuseRejected(side);
  return { before, after };
}

/** The artifact as a worker would run it: its hash and signature are right, and its environment is built. */
async function makeReady(db: Queryable, { id, name, version }: PluginSummary, means: CompareMeans): Promise<TrialPlugin> {
  const { tools, stateDir, trust, log, signal, onProgress } = means;
  const artifact = await loadArtifact(db, id);
  requireWhole(artifact);
  requireSignature(artifact, readTrustedKeys(trust.trustedKeys), trust.requireSignature);
  const place = { environment: artifact.environment, root: environmentRoot(stateDir), interpreter: tools.python, pythons: tools.pythons };
  const { python } = await ensureEnvironment({ ...tools, ...place, signal, log, onProgress });
  const { sourceCode, folder, artifactHash, manifest } = artifact;
  const [contracts, grants] = await Promise.all([contractsOf(db, name), grantsOf(db, name)]);
  const { topic: defaultOutput, process } = manifest;
  return { name, path: `${name}@${version}`, sourceCode, folder, artifactHash, defaultOutput, process, python, contracts, grants };
}

interface VersionBench extends Bench {
  readonly options: ComparisonOptions;
  /** Versions take turns in reading a file first. */
  readonly turn: number;
}

interface ComparedVersion {
  readonly file: FileComparison;
  readonly outputs: readonly OutputComparison[];
}

/** A file that was touched while it was read is read again. */
const triesMax = 3;

async function compareVersion(
  db: Queryable,
  versionId: string,
  plugins: Sides<TrialPlugin>,
  bench: VersionBench,
): Promise<ComparedVersion> {
  const version = (await loadFileVersion(db, versionId))!;
  for (let tries = 1; ; tries += 1) {
    try {
      return await compareOnce(db, version, plugins, bench);
    } catch (error) {
      bench.means.signal.throwIfAborted();
      if (!(error instanceof TransientFailure || error instanceof TerminalFailure)) throw error;
      // Such as an archive that can't be read, or a copy that is damaged: this one file can't be had.
      if (error.code !== "INPUT_TOUCHED" || tries === triesMax) return skipped(version, error.message);
    }
  }
}

async function compareOnce(
  db: Queryable,
  version: FileVersion,
  plugins: Sides<TrialPlugin>,
  bench: VersionBench,
): Promise<ComparedVersion> {
  const { means, folder, pool, options, turn } = bench;
  const { signal, limits } = means;
  signal.throwIfAborted();
  const opened = await means.openBytes(db, version, signal);
  if ("reason" in opened) return skipped(version, opened.reason);
  await using bytes = opened;
  const first = turn % 2 === 0 ? "before" : "after";
  const compared = await compareFile(plugins, bytes, version.relPath, { pool, limits, signal, folder, options, first });
  const unchanged = await bytes.verify(signal);
  return unchanged.same ? described(version, compared) : skipped(version, unchanged.reason);
}

function described(version: FileVersion, { outputs, ...compared }: ComparedFile): ComparedVersion {
  return { file: { ...nameOf(version), reason: null, ...compared, outputs: outputs.map(countsOf) }, outputs };
}

function skipped(version: FileVersion, reason: string): ComparedVersion {
  const nothing = { failures: { before: null, after: null }, timing: { before: null, after: null }, outputs: [] };
  return { file: { ...nameOf(version), outcome: "skipped", reason, ...nothing }, outputs: [] };
}

function nameOf({ id, sourceName, relPath, sequence, contentHash }: FileVersion) {
  return { versionId: id, source: sourceName, path: relPath, sequence, contentHash };
}

/** What compares nothing proves nothing. */
function refuseNothing(files: readonly FileComparison[]): void {
  if (files.some(({ outcome }) => outcome === "same" || outcome === "different")) return;
  const [first] = files;
  const failure = first?.failures.after;
  throw new TerminalFailure({
    code: "NOTHING_COMPARED",
    message: `none of ${files.length} files could be compared; first ${first?.path}: ${failure === null ? first?.reason : `both versions fail: ${failure?.message}`}`,
    hint: "Choose files that are there, or of which there are snapshots, and that one of the versions reads: --on GLOB",
    data: { files: files.length },
  });
}
