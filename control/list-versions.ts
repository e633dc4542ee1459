import { membersOf, versionsOf, type VersionRow } from "../db/history.ts";
import { listJobs, type JobRow } from "../db/job-history.ts";
import { storesOf } from "../db/snapshot.ts";
import { findStore } from "../snapshots/store.ts";
import type { ControlContext } from "./context.ts";
import { findFile, type FileRequest } from "./find-file.ts";

export interface VersionWithJobs extends VersionRow {
  /** Oldest first. */
  readonly jobs: readonly JobRow[];
  /** Whether there is a copy of its content, or of the archive that it was read from: in this home's store, in one of another, or none. */
  readonly copy: "here" | "elsewhere" | null;
}

export type { VersionRow } from "../db/history.ts";

/** Beyond so many jobs of one file the oldest are left out. */
const jobsMax = 10_000;

/** All versions of a file, the first one first. Throws WrongUse for a path that is not on record. */
export async function listVersions(
  { db }: ControlContext,
  request: FileRequest & { readonly stateDir: string },
): Promise<readonly VersionWithJobs[]> {
  const { locationId } = await findFile(db, request);
  const versions = await versionsOf(db, locationId);
  const jobs = await listJobs(db, { fileVersionIds: versions.map((version) => version.id), limit: jobsMax });
  const here = await findStore(request.stateDir);
  const hashes = versions.flatMap(contentsWith);
  const stores = Map.groupBy(await storesOf(db, hashes), (copy) => copy.contentHash);
  return versions.map((version) => {
    const copies = contentsWith(version).flatMap((hash) => stores.get(hash) ?? []);
    const copy = copies.some(({ store }) => store === here?.id) ? "here" : copies.length > 0 ? "elsewhere" : null;
    return { ...version, copy, jobs: jobs.filter((job) => job.fileVersionId === version.id).toReversed() };
  });
}

/** The contents out of which a version can be had again. */
function contentsWith({ contentHash, archive }: VersionRow): readonly string[] {
  return archive === null ? [contentHash] : [contentHash, archive.contentHash];
}

/** What an archive holds or held: each member with its newest version. None for a file. Throws WrongUse as `listVersions` does. */
export async function listMembers({ db }: ControlContext, request: FileRequest): Promise<readonly VersionRow[]> {
  return membersOf(db, (await findFile(db, request)).locationId);
}
