import { findVersion, versionsByHash, versionsOf, type VersionRow } from "../db/history.ts";
import { listJobs, outputsAt, outputsOf, type JobRow, type OutputRow } from "../db/job-history.ts";
import { artifactOrigins, type ArtifactOrigin } from "../db/plugin.ts";
import type { Queryable } from "../db/pool.ts";
import { TerminalFailure, WrongUse } from "../domain/failure.ts";
import { lineageColumns } from "../domain/lineage.ts";
import { resultOfFile } from "../sinks/partition/address.ts";
import type { ControlContext } from "./context.ts";
import { findFile, type FileRequest } from "./find-file.ts";
import { findJob, isId } from "./show-job.ts";

/** Where to begin: with a job, a version, a file, the lineage columns of a row, or the place where rows are. */
export type LineageRequest =
  | { readonly by: "job"; readonly id: string }
  | { readonly by: "version"; readonly id: string }
  | ({ readonly by: "file" } & FileRequest)
  | { readonly by: "row"; readonly columns: Readonly<Record<string, string>> }
  /** An output's target, or a file as with `file`: whichever the record has there. */
  | ({ readonly by: "place"; readonly target: string } & FileRequest);

/** A version of a file, with the jobs that read it and what they put out. */
export interface VersionLineage {
  readonly version: VersionRow;
  readonly jobs: readonly JobLineage[];
}

export interface JobLineage {
  readonly job: JobRow;
  readonly artifact: ArtifactOrigin;
  /** Of the last attempt, or committed. */
  readonly outputs: readonly OutputRow[];
}

/** Jobs of one version beyond this are left out; a version has one for each artifact that it was routed to. */
const jobsMax = 1_000;

/**
 * From bytes to rows and back: the versions concerned, each with its jobs, their artifacts and outputs.
 * Throws WrongUse for what is not on record, TerminalFailure LINEAGE_CONTRADICTED where a row's columns and the record disagree.
 */
export async function traceLineage({ db }: ControlContext, request: LineageRequest): Promise<readonly VersionLineage[]> {
  switch (request.by) {
    case "job":
      return traceJobs(db, [await findJob(db, request.id)]);
    case "version":
      return traceVersions(db, [await requireVersion(db, request.id)]);
    case "file":
      return traceVersions(db, await versionsOf(db, (await findFile(db, request)).locationId));
    case "row":
      return traceRow(db, request.columns);
    case "place":
      return tracePlace(db, request);
  }
}

async function requireVersion(db: Queryable, id: string): Promise<VersionRow> {
  const version = isId(id) ? await findVersion(db, id) : null;
  if (version === null)
    throw new WrongUse(`there is no file version ${id}`, "casparian versions PATH shows a file's versions with their ids");
  return version;
}

async function traceVersions(db: Queryable, versions: readonly VersionRow[]): Promise<readonly VersionLineage[]> {
  const jobs = await listJobs(db, { fileVersionIds: versions.map((version) => version.id), limit: jobsMax });
  return assemble(db, versions, jobs);
}

async function traceJobs(db: Queryable, jobs: readonly JobRow[]): Promise<readonly VersionLineage[]> {
  const versions = await Promise.all([...new Set(jobs.map((job) => job.fileVersionId))].map((id) => findVersion(db, id)));
  return assemble(
    db,
    versions.filter((version) => version !== null),
    jobs,
  );
}

async function assemble(db: Queryable, versions: readonly VersionRow[], jobs: readonly JobRow[]): Promise<readonly VersionLineage[]> {
  const outputs = await outputsOf(
    db,
    jobs.map((job) => job.id),
  );
  const origins = await artifactOrigins(db, [...new Set(jobs.map((job) => job.pluginId))]);
  return versions.map((version) => ({
    version,
    jobs: jobs
      .filter((job) => job.fileVersionId === version.id)
      .toSorted((a, b) => Number(a.id) - Number(b.id))
      .map((job) => ({
        job,
        artifact: origins.find((origin) => origin.pluginId === job.pluginId)!,
        outputs: outputs.filter((output) => output.jobId === job.id && (output.state === "COMMITTED" || output.attempt === job.attempt)),
      })),
  }));
}

async function tracePlace(
  db: Queryable,
  { target, path, source }: FileRequest & { readonly target: string },
): Promise<readonly VersionLineage[]> {
  const outputs = await outputsAt(db, resultOfFile(target));
  if (outputs.length === 0) {
    const file = await findFile(db, { path, source }).catch((error: unknown) => {
      if (error instanceof WrongUse && error.message.startsWith("no file on record")) return null;
      throw error;
    });
    if (file !== null) return traceVersions(db, await versionsOf(db, file.locationId));
    throw new WrongUse(
      `no output on record is at ${target}, and no file on record has the path ${path}`,
      "Give a file of a source, or a file of an output as casparian jobs show prints it, or --row with a row's _cf_ columns",
    );
  }
  return traceJobs(db, await listJobs(db, { ids: [...new Set(outputs.map((output) => output.jobId))], limit: jobsMax }));
}

/** The columns that lead somewhere: `_cf_job_id`, else `_cf_file_version_id`, else `_cf_source_hash`; all that are given must agree. */
async function traceRow(db: Queryable, given: Readonly<Record<string, string>>): Promise<readonly VersionLineage[]> {
  const columns = Object.fromEntries(Object.entries(given).map(([name, value]) => [columnName(name), value]));
  const { _cf_job_id: jobId, _cf_file_version_id: versionId, _cf_source_hash: hash, _cf_plugin_version: plugin } = columns;
  let traced: readonly VersionLineage[];
  if (jobId !== undefined) traced = await traceJobs(db, [await findJob(db, jobId)]);
  else if (versionId !== undefined) traced = await traceVersions(db, [await requireVersion(db, versionId)]);
  else if (hash !== undefined) traced = await traceVersions(db, await versionsByHash(db, hash.toLowerCase()));
  else
    throw new WrongUse(
      "the row's columns name neither job, version nor hash",
      `Give ${lineageColumns.slice(0, 3).join(", ")} or some of them`,
    );
  if (traced.length === 0) throw new WrongUse(`no file version on record has the hash ${hash}`);
  for (const { version } of traced) {
    const record = { _cf_file_version_id: version.id, _cf_source_hash: version.contentHash };
    requireAgreement({ ...columns, ...(hash === undefined ? {} : { _cf_source_hash: hash.toLowerCase() }) }, record);
  }
  return plugin === undefined ? traced : ofPlugin(traced, plugin, columns);
}

/** The jobs that ran this version of a plugin; a row that says so can be of no other. */
function ofPlugin(traced: readonly VersionLineage[], plugin: string, columns: Readonly<Record<string, string>>): readonly VersionLineage[] {
  const nameOf = ({ job }: JobLineage): string => `${job.plugin}@${job.pluginVersion}`;
  const narrowed = traced.map(({ version, jobs }) => ({ version, jobs: jobs.filter((job) => nameOf(job) === plugin) }));
  if (narrowed.some(({ jobs }) => jobs.length > 0)) return narrowed.filter(({ jobs }) => jobs.length > 0);
  const had = [...new Set(traced.flatMap(({ jobs }) => jobs.map(nameOf)))].join(" and ") || "no plugin";
  requireAgreement(columns, { _cf_plugin_version: had });
  return traced;
}

/** Short forms that people type. */
const shortNames: Readonly<Record<string, (typeof lineageColumns)[number]>> = {
  hash: "_cf_source_hash",
  job: "_cf_job_id",
  version: "_cf_file_version_id",
  plugin: "_cf_plugin_version",
};

function columnName(name: string): string {
  const full = shortNames[name] ?? (name.startsWith("_cf_") ? name : `_cf_${name}`);
  if (lineageColumns.some((column) => column === full)) return full;
  throw new WrongUse(`"${name}" is not a lineage column`, `Lineage columns: ${lineageColumns.join(", ")}`);
}

function requireAgreement(given: Readonly<Record<string, string>>, record: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(record)) {
    if (given[name] === undefined || given[name] === value) continue;
    throw new TerminalFailure({
      code: "LINEAGE_CONTRADICTED",
      message: `the row says ${name} ${given[name]}, and the record says ${value}`,
      hint: "The row was changed after it was written, or it belongs to another database",
    });
  }
}
