import { TerminalFailure } from "../domain/failure.ts";
import type { PluginArtifact, PluginEnvironment, PluginManifest, PluginState } from "../domain/plugin.ts";
import type { Identity } from "../domain/sign-in.ts";
import type { Queryable } from "./pool.ts";

/** An artifact as lists show it, without its code. */
export interface PluginSummary {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: PluginState;
  readonly artifactHash: string;
  readonly environmentHash: string;
  readonly manifest: PluginManifest;
  /** `user@host`. */
  readonly publisher: string;
  /** Who that is by the word of a sign-in server; null where nobody had to sign in. */
  readonly publisherIdentity: Identity | null;
  readonly publishedAt: Date;
  /** Over name, version and artifact hash; null where nobody has signed it. */
  readonly signature: string | null;
  /** When it was last made the active one; null for one that never was. */
  readonly activatedAt: Date | null;
  /** Why it is REJECTED; null where it is not. */
  readonly rejectedReason: string | null;
}

/** The artifact with its locked environment. Throws TerminalFailure UNKNOWN_PLUGIN. */
export async function loadArtifact(db: Queryable, pluginId: string): Promise<PluginArtifact & { readonly environment: PluginEnvironment }> {
  const { rows } = await db.query<PluginArtifact & PluginEnvironment>(
    `select p.id, p.name, p.version, p.artifact_hash as "artifactHash", p.source_code as "sourceCode", p.manifest,
       case when p.entry is not null then jsonb_build_object('entry', p.entry, 'files', p.files) end as folder,
       p.environment_hash as "environmentHash", p.state, p.signature, e.hash, e.lockfile, e.python
     from cf_plugin_manifest p join cf_plugin_environment e on e.hash = p.environment_hash where p.id = $1`,
    [pluginId],
  );
  const [row] = rows;
  if (row === undefined) throw new TerminalFailure({ code: "UNKNOWN_PLUGIN", message: `plugin ${pluginId} is not in the record` });
  const { hash, lockfile, python, ...artifact } = row;
  return { ...artifact, environment: { hash, lockfile, python } };
}

/** How many of the latest jobs tell which plugins are in use. */
const latestJobs = 5_000;

/** The active artifacts, those with the latest jobs first. */
export async function activePlugins(db: Queryable): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const { rows } = await db.query<{ id: string; name: string }>(
    `select p.id, p.name from cf_plugin_manifest p
     left join (
       select plugin_id, max(id) as latest from (select id, plugin_id from cf_processing_job order by id desc limit $1) as recent
       group by plugin_id
     ) as used on used.plugin_id = p.id
     where p.state = 'ACTIVE' order by used.latest desc nulls last, p.activated_at desc, p.id desc`,
    [latestJobs],
  );
  return rows;
}

/** Who made an artifact, and of what. */
export interface ArtifactOrigin {
  readonly pluginId: string;
  /** SHA-256 of the source code alone, hex. */
  readonly sourceHash: string;
  /** The Python versions that its environment is locked for. */
  readonly python: string;
  /** `user@host`. */
  readonly publisher: string;
  readonly publishedAt: Date;
}

export async function artifactOrigins(db: Queryable, pluginIds: readonly string[]): Promise<readonly ArtifactOrigin[]> {
  const { rows } = await db.query<ArtifactOrigin>(
    `select p.id as "pluginId", encode(sha256(convert_to(p.source_code, 'UTF8')), 'hex') as "sourceHash", e.python, p.publisher,
       p.published_at as "publishedAt"
     from cf_plugin_manifest p join cf_plugin_environment e on e.hash = p.environment_hash where p.id = any ($1::bigint[])`,
    [pluginIds],
  );
  return rows;
}

/** Throws TerminalFailure UNKNOWN_ENVIRONMENT. */
export async function loadEnvironment(db: Queryable, hash: string): Promise<PluginEnvironment> {
  const { rows } = await db.query<PluginEnvironment>("select hash, lockfile, python from cf_plugin_environment where hash = $1", [hash]);
  if (rows[0] === undefined) {
    throw new TerminalFailure({ code: "UNKNOWN_ENVIRONMENT", message: `environment ${hash} is not in the record` });
  }
  return rows[0];
}

/** All artifacts, or those of one name: by name, newest first. */
export async function listPlugins(db: Queryable, name: string | null): Promise<readonly PluginSummary[]> {
  const { rows } = await db.query<PluginSummary>(
    `select id, name, version, state, artifact_hash as "artifactHash", environment_hash as "environmentHash", manifest, publisher,
       case when publisher_subject is not null then
         json_build_object('issuer', publisher_issuer, 'subject', publisher_subject, 'email', publisher_email) end as "publisherIdentity",
       published_at as "publishedAt", signature, activated_at as "activatedAt", rejected_reason as "rejectedReason"
     from cf_plugin_manifest where $1::text is null or name = $1 order by name, cf_plugin_manifest.id desc`,
    [name],
  );
  return rows;
}

/** Lets one transaction at a time publish or activate under this name. */
export async function lockPluginName(tx: Queryable, name: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtext('casparian plugin'), hashtext($1))", [name]);
}

/** Stores an environment under its hash; one that is there already stays. */
export async function insertEnvironment(db: Queryable, environment: PluginEnvironment): Promise<void> {
  await db.query("insert into cf_plugin_environment (hash, lockfile, python) values ($1, $2, $3) on conflict (hash) do nothing", [
    environment.hash,
    environment.lockfile,
    environment.python,
  ]);
}

export type NewArtifact = Omit<PluginArtifact, "id" | "state" | "signature"> & {
  readonly publisher: string;
  readonly publisherIdentity?: Identity | null;
};

/** Stores a new artifact as STAGED and returns its id; `activateArtifact` lets it take files. */
export async function insertArtifact(db: Queryable, artifact: NewArtifact): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `insert into cf_plugin_manifest (name, version, artifact_hash, source_code, manifest, environment_hash, state, publisher,
       publisher_issuer, publisher_subject, publisher_email, entry, files)
     values ($1, $2, $3, $4, $5, $6, 'STAGED', $7, $8, $9, $10, $11, $12) returning id`,
    [
      artifact.name,
      artifact.version,
      artifact.artifactHash,
      artifact.sourceCode,
      JSON.stringify(artifact.manifest),
      artifact.environmentHash,
      artifact.publisher,
      artifact.publisherIdentity?.issuer ?? null,
      artifact.publisherIdentity?.subject ?? null,
      artifact.publisherIdentity?.email ?? null,
      artifact.folder?.entry ?? null,
      artifact.folder ? JSON.stringify(artifact.folder.files) : null,
    ],
  );
  return rows[0]!.id;
}

/** Makes this artifact the active one of its name, and retires the one that was. */
export async function activateArtifact(tx: Queryable, name: string, pluginId: string): Promise<void> {
  // Two statements in this order, because the record allows one active artifact of a name at any moment.
  await tx.query("update cf_plugin_manifest set state = 'RETIRED' where name = $1 and state = 'ACTIVE' and id <> $2", [name, pluginId]);
  await tx.query("update cf_plugin_manifest set state = 'ACTIVE', activated_at = clock_timestamp() where id = $1 and state <> 'ACTIVE'", [
    pluginId,
  ]);
}

export async function setSignature(tx: Queryable, pluginId: string, signature: string): Promise<void> {
  await tx.query("update cf_plugin_manifest set signature = $2 where id = $1", [pluginId, signature]);
}

/** Keeps an artifact from ever running again. */
export async function rejectArtifact(tx: Queryable, pluginId: string, reason: string): Promise<void> {
  await tx.query("update cf_plugin_manifest set state = 'REJECTED', rejected_reason = $2 where id = $1", [pluginId, reason]);
}
