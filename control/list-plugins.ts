import { requireSignature, requireWhole } from "../bridge/artifact.ts";
import { readTrustedKeys } from "../bridge/trusted-keys.ts";
import { messageOf } from "../domain/failure.ts";
import { findGatekeeperReport, type KeptReport } from "../db/gatekeeper-report.ts";
import { listPlugins as selectPlugins, loadArtifact, type PluginSummary } from "../db/plugin.ts";
import { lastPromotion, type Promotion } from "../db/promotion.ts";
import { listGrants, type GrantRow } from "../db/plugin-grant.ts";
import { listRules, type RuleRow } from "../db/routing-rule.ts";
import type { PluginFolder } from "../domain/plugin.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";
import { listTopics, type TopicPlace } from "./list-topics.ts";

export type { PluginSummary } from "../db/plugin.ts";

/** A version, and what an operator lets all versions of its plugin reach. */
export interface GrantedPlugin extends PluginSummary {
  readonly grants: readonly GrantRow[];
}

/** Every version of every plugin: by name, newest first. */
export async function listPlugins({ db }: ControlContext): Promise<readonly GrantedPlugin[]> {
  const [plugins, grants] = await Promise.all([selectPlugins(db, null), listGrants(db, null)]);
  return plugins.map((plugin) => ({ ...plugin, grants: grants.filter((grant) => grant.plugin === plugin.name) }));
}

/** Whose signature a version bears, as this machine sees it. */
export interface SignatureStanding {
  /** The public key; null where nobody signed it. */
  readonly key: string | null;
  /** What the key is trusted as; null where it is not. */
  readonly signer: string | null;
  /** Why the signature, or what it is over, is not right; null where it is. */
  readonly trouble: string | null;
}

export interface PluginDetail {
  readonly plugin: PluginSummary;
  readonly signature: SignatureStanding;
  /** Null where it was published without the gatekeeper. */
  readonly gatekeeper: KeptReport | null;
  /** How it became the active one last, and with what proof; null for one that never did. */
  readonly promotion: Promotion | null;
  /** What it may reach beyond its sandbox. */
  readonly grants: readonly GrantRow[];
  readonly sourceCode: string;
  /** Null for a single file. */
  readonly folder: PluginFolder | null;
  readonly environment: { readonly hash: string; readonly python: string; readonly lockfile: string };
  readonly versions: readonly PluginSummary[];
  readonly rules: readonly RuleRow[];
  readonly topics: readonly TopicPlace[];
}

/** All that the record says of a plugin: of the given version, or the active one, or the newest. Throws WrongUse for an unknown one. */
export async function showPlugin(context: ControlContext, name: string, version?: string, trustedKeysFile?: string): Promise<PluginDetail> {
  const { db } = context;
  const versions = await findPlugin(db, name);
  const hasActive = versions.some((candidate) => candidate.state === "ACTIVE");
  const plugin = version === undefined && !hasActive ? versions[0] : await findPluginVersion(db, name, version);
  const artifact = await loadArtifact(db, plugin.id);
  const rules = (await listRules(db)).filter((rule) => rule.pluginName === name);
  const signature = examineSignature(artifact, trustedKeysFile);
  const { sourceCode, folder = null, environment } = artifact;
  const gatekeeper = await findGatekeeperReport(db, plugin.id);
  const grants = await listGrants(db, name);
  const promotion = await lastPromotion(db, plugin.id);
  return {
    plugin,
    signature,
    gatekeeper,
    grants,
    promotion,
    sourceCode,
    folder,
    environment,
    versions,
    rules,
    topics: await listTopics(context, name),
  };
}

function examineSignature(artifact: Awaited<ReturnType<typeof loadArtifact>>, trustedKeysFile: string | undefined): SignatureStanding {
  const key = artifact.signature === null ? null : artifact.signature.slice(0, artifact.signature.lastIndexOf(":"));
  try {
    requireWhole(artifact);
    const trusted = trustedKeysFile === undefined ? new Map<string, string>() : readTrustedKeys(trustedKeysFile);
    return { key, signer: requireSignature(artifact, trusted, false), trouble: null };
  } catch (error) {
    return { key, signer: null, trouble: messageOf(error) };
  }
}
