import { basename } from "node:path";
import { hashArtifact } from "../bridge/artifact.ts";
import type { PluginLock } from "../bridge/environments.ts";
import type { ParsedPlugin } from "../bridge/manifest.ts";
import { insertAudit } from "../db/audit.ts";
import { keepGatekeeperReport } from "../db/gatekeeper-report.ts";
import {
  activateArtifact,
  insertArtifact,
  insertEnvironment,
  listPlugins,
  lockPluginName,
  type NewArtifact,
  type PluginSummary,
} from "../db/plugin.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { activeRules, listRules, replaceManifestRules, type RuleRow } from "../db/routing-rule.ts";
import { messageOf, TerminalFailure, WrongUse } from "../domain/failure.ts";
import type { GatekeeperPolicy, GatekeeperReport } from "../domain/gatekeeper.ts";
import type { SigningKey } from "../bridge/signing-key.ts";
import type { PluginEnvironment, PluginFolder, TopicConfig } from "../domain/plugin.ts";
import { checkPattern } from "../domain/route.ts";
import { backfill, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import { examinePlugin, refuseFindings } from "./gatekeeper.ts";
import { identify } from "./identify.ts";
import { explainMissing, missingImports } from "./missing-imports.ts";
import { recordPromotion } from "./prove-promotion.ts";
import { refuseRejected } from "./reject-plugin.ts";
import { lockCode, parseCode, readCode, toolsFor } from "./plugin-code.ts";
import type { PluginTools } from "./plugin-tools.ts";
import { signVersion } from "./sign-plugin.ts";
import { storeTopics } from "./set-topic.ts";

export interface PublishRequest {
  /** The plugin's file, or its folder. */
  readonly file: string;
  /** What its MANIFEST says unless given, else the file's stem. */
  readonly name?: string | undefined;
  /** What its MANIFEST says unless given, else the next whole number. */
  readonly version?: string | undefined;
  readonly topics?: TopicConfig | undefined;
  /** Publishes also where the environment lacks something that is imported. */
  readonly force: boolean;
  /** Stores it only: it takes no files until it is activated. */
  readonly stage?: boolean;
  /** What to make of what stands out in code and lock; off unless given. */
  readonly gatekeeper?: GatekeeperPolicy;
  /** Whether it takes another version's place only where the two were compared; false unless given. */
  readonly requireComparison?: boolean;
  /** Signs the version. */
  readonly key?: SigningKey | undefined;
  /** Whether files on record that match get a job of this version. */
  readonly backfill: boolean;
  readonly tools: PluginTools;
}

export interface PublishedPlugin {
  /** `activated`: it was staged before. `reactivated`: an earlier version has just this content, and is the active one again. */
  readonly outcome: "published" | "staged" | "activated" | "reactivated" | "unchanged";
  readonly plugin: PluginSummary;
  /** The version that was active before. */
  readonly retired: string | null;
  /** Patterns of the manifest that became rules, and those that ceased to be. */
  readonly rulesAdded: readonly string[];
  readonly rulesRemoved: readonly string[];
  /** All rules that lead to the plugin now. */
  readonly rules: readonly RuleRow[];
  /** Topics whose place or mode was changed. */
  readonly topicsSet: readonly string[];
  /** Sentences. */
  readonly warnings: readonly string[];
  /** What stands out in code and lock; null where the gatekeeper is off. */
  readonly gatekeeper: GatekeeperReport | null;
  /** What of the files on record this version takes; null where it is not the active one. */
  readonly backlog: Backlog | null;
}

/**
 * Publishes a plugin's file: reads its manifest by parsing, locks its dependencies, stores both under their hash, makes it the active
 * version of its name and wires its patterns as rules, all in one transaction. Publishing the same content again changes nothing.
 *
 * Throws WrongUse for a file or name that can't be used, or a version that has other content; TerminalFailure of `readPlugin` and
 * `lockPlugin`, PLUGIN_IMPORT_MISSING and PLUGIN_REFUSED.
 */
export async function publishPlugin(
  context: ControlContext,
  request: PublishRequest,
  options: Omit<BackfillOptions, "insert"> = {},
): Promise<PublishedPlugin> {
  const { db, actor } = context;
  const identity = await identify(context);
  const code = await readCode(request.file);
  const { source, folder } = code;
  const tools = await toolsFor(request.tools, code);
  const parsed = await parseCode(tools.python, code);
  const name = request.name ?? parsed.name ?? code.defaultName;
  const wanted = request.version ?? parsed.version ?? code.defaultVersion;
  checkName(name, wanted);
  parsed.manifest.patterns.forEach(requirePattern);
  const lock = await lockCode(tools, code);
  const { environment } = lock;
  const warnings = [
    ...parsed.notices,
    ...refuseMissingImports(parsed, environment, request.force),
    ...unknownTopics(parsed, request.topics),
  ];
  const gatekeeper = await passGatekeeper({ ...request, tools }, { source, folder, parsed, lock });
  const hash = hashArtifact(source, environment.hash, folder);
  const artifact = { name, artifactHash: hash, sourceCode: source, folder, manifest: parsed.manifest, environmentHash: environment.hash };
  const published = await transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const versions = await listPlugins(tx, name);
    const same = findSame(versions, hash, name, wanted);
    versions.filter((version) => version.artifactHash === hash).forEach(refuseRejected);
    if (request.stage === true) refuseOthersTopics(versions, request.topics);
    let pluginId = same?.id;
    if (pluginId === undefined) {
      await insertEnvironment(tx, environment);
      pluginId = await insertArtifact(tx, {
        ...artifact,
        version: wanted ?? nextVersion(versions),
        publisher: actor,
        publisherIdentity: identity,
      });
    }
    if (gatekeeper !== null) await keepGatekeeperReport(tx, pluginId, gatekeeper);
    if (request.key !== undefined) await signVersion(tx, name, pluginId, request.key);
    const outcome = outcomeOf(same, request.stage === true);
    if (outcome !== "unchanged" && outcome !== "staged") await promote(tx, actor, { name, pluginId, versions, outcome }, request);
    const wired = request.stage === true ? unwired : await wire(tx, artifact, { pluginId, outcome, versions });
    const topicsSet = await storeTopics(tx, actor, name, request.topics ?? new Map());
    const described = await describe(tx, name, pluginId);
    if (outcome !== "unchanged" || wired.rulesAdded.length > 0 || wired.rulesRemoved.length > 0) {
      await insertAudit(tx, {
        actor,
        identity,
        action: auditActions[outcome],
        subject: `${name}@${described.plugin.version}`,
        detail: { artifactHash: hash, environmentHash: environment.hash, ...wired, signedWith: request.key?.publicKey ?? null },
      });
    }
    return { outcome, ...wired, topicsSet, warnings, gatekeeper, ...described };
  });
  if (published.plugin.state !== "ACTIVE") return { ...published, backlog: null };
  const backlog = await backfill(context, { rules: await activeRules(db), plugin: name }, { ...options, insert: request.backfill });
  return { ...published, backlog };
}

async function passGatekeeper(
  { file, tools, gatekeeper: policy }: PublishRequest,
  plugin: { readonly source: string; readonly folder: PluginFolder | null; readonly parsed: ParsedPlugin; readonly lock: PluginLock },
): Promise<GatekeeperReport | null> {
  if (policy === undefined || policy.mode === "off") return null;
  const report = await examinePlugin({ ...plugin, tools, audit: { service: policy.vulnerabilityService } });
  refuseFindings(report, policy, basename(file));
  return report;
}

type Outcome = PublishedPlugin["outcome"];

const auditActions = {
  published: "plugin.publish",
  staged: "plugin.stage",
  activated: "plugin.activate",
  reactivated: "plugin.activate",
  unchanged: "plugin.activate",
} as const satisfies Record<Outcome, string>;

function outcomeOf(same: PluginSummary | undefined, stage: boolean): Outcome {
  if (same === undefined) return stage ? "staged" : "published";
  if (stage || same.state === "ACTIVE") return "unchanged";
  return same.state === "STAGED" ? "activated" : "reactivated";
}

/** Throws TerminalFailure PROOF_MISSING where it may not take the active version's place yet. */
async function promote(
  tx: Queryable,
  actor: string,
  {
    name,
    pluginId,
    versions,
    outcome,
  }: { readonly name: string; readonly pluginId: string; readonly versions: readonly PluginSummary[]; readonly outcome: Outcome },
  { requireComparison: required = false, file }: PublishRequest,
): Promise<void> {
  const replaced = versions.find(({ state }) => state === "ACTIVE") ?? null;
  const chosen = versions.find(({ id }) => id === pluginId) ?? (await findPluginById(tx, name, pluginId));
  // What is not on record yet can't have been compared.
  if (required && replaced !== null && outcome === "published")
    throw new TerminalFailure({
      code: "PROOF_MISSING",
      message: `a version that takes the place of ${replaced.name} ${replaced.version} is compared with it first (require_comparison in casparian.toml)`,
      hint: `casparian plugin publish ${basename(file)} --stage, then casparian plugin compare ${replaced.name}, then activate it`,
    });
  await recordPromotion(tx, actor, { chosen, replaced }, { required });
}

/** What publishing does to a plugin's other versions and to its rules. */
type Wired = Pick<PublishedPlugin, "retired" | "rulesAdded" | "rulesRemoved">;

const unwired: Wired = { retired: null, rulesAdded: [], rulesRemoved: [] };

/** Makes the artifact the active one, and its patterns rules. */
async function wire(
  tx: Queryable,
  { name, manifest }: Pick<NewArtifact, "name" | "manifest">,
  { pluginId, outcome, versions }: { readonly pluginId: string; readonly outcome: Outcome; readonly versions: readonly PluginSummary[] },
): Promise<Wired> {
  if (outcome !== "unchanged") await activateArtifact(tx, name, pluginId);
  const { added, removed } = await replaceManifestRules(tx, name, manifest.patterns);
  const before = versions.find((version) => version.state === "ACTIVE")?.version ?? null;
  return { retired: outcome === "unchanged" ? null : before, rulesAdded: added, rulesRemoved: removed };
}

/** Topics are a plugin's, not a version's, so those of a staged version would be the active one's at once. */
function refuseOthersTopics(versions: readonly PluginSummary[], topics: TopicConfig = new Map()): void {
  const active = versions.find(({ state }) => state === "ACTIVE");
  if (active === undefined || topics.size === 0) return;
  throw new WrongUse(
    `topics are set for all versions of ${active.name}, and ${active.version} is active and would write to them from now on`,
    `Stage it without them, and set them when it is activated: casparian topic set ${active.name} OUTPUT URI`,
  );
}

function checkName(name: string, version: string | undefined): void {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw new WrongUse(`"${name}" can't be the name of a plugin`, "Give one with --name: letters, digits, _, - and ., 100 at most");
  }
  if (version !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$/.test(version)) {
    throw new WrongUse(`"${version}" can't be a version`, "Use letters, digits, _, ., + and -, 63 at most, with a letter or digit first");
  }
}

function requirePattern(pattern: string): void {
  try {
    checkPattern(pattern);
  } catch (error) {
    throw new WrongUse(`the plugin's MANIFEST has a pattern that is none, ${JSON.stringify(pattern)}: ${messageOf(error)}`);
  }
}

function refuseMissingImports(parsed: ParsedPlugin, environment: PluginEnvironment, force: boolean): readonly string[] {
  const missing = missingImports(parsed.imports, environment.lockfile);
  if (missing.length === 0) return [];
  const { message, hint } = explainMissing(missing, parsed.hasDependencies);
  // A package may have another name than its modules, so what a plugin declares itself is only doubted.
  if (force || parsed.hasDependencies) return [`${message}. ${hint}`];
  throw new TerminalFailure({
    code: "PLUGIN_IMPORT_MISSING",
    message,
    hint: `${hint}\nor publish it as it is, with --force`,
    data: { imports: missing },
  });
}

function unknownTopics(parsed: ParsedPlugin, topics: TopicConfig = new Map()): readonly string[] {
  const known = new Set([parsed.manifest.topic, ...parsed.publishes]);
  return [...topics.keys()]
    .filter((output) => !known.has(output))
    .map((output) => `the plugin's code does not name the topic ${output}; it names ${[...known].join(", ")}`);
}

/** The version on record with this very content, or undefined where there is something new to store. */
function findSame(
  versions: readonly PluginSummary[],
  artifactHash: string,
  name: string,
  wanted: string | undefined,
): PluginSummary | undefined {
  if (wanted === undefined) {
    const same = versions.filter((version) => version.artifactHash === artifactHash);
    return same.find((version) => version.state === "ACTIVE") ?? same[0];
  }
  const taken = versions.find((version) => version.version === wanted);
  if (taken === undefined || taken.artifactHash === artifactHash) return taken;
  throw new WrongUse(
    `${name} ${wanted} is published with other content, and a published version never changes`,
    `Publish it under another version; ${nextVersion(versions)} is free`,
  );
}

function nextVersion(versions: readonly PluginSummary[]): string {
  const numbers = versions.map((version) => version.version).filter((version) => /^\d{1,9}$/.test(version));
  return String(Math.max(0, ...numbers.map(Number)) + 1);
}

async function findPluginById(tx: Queryable, name: string, pluginId: string): Promise<PluginSummary> {
  return (await listPlugins(tx, name)).find(({ id }) => id === pluginId)!;
}

async function describe(tx: Queryable, name: string, pluginId: string): Promise<Pick<PublishedPlugin, "plugin" | "rules">> {
  const plugin = await findPluginById(tx, name, pluginId);
  return { plugin, rules: (await listRules(tx)).filter((rule) => rule.pluginName === name) };
}
