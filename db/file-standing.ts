import type { JobState } from "../domain/job-state.ts";
import type { Queryable } from "./pool.ts";

/** What the record says of one path of a source; null and empty where it says nothing. */
export interface FileStanding {
  readonly file: {
    readonly state: "PRESENT" | "VANISHED";
    readonly versionId: string;
    readonly sequence: number;
    readonly sizeBytes: number;
    readonly modifiedAt: string;
  } | null;
  /** Jobs of the newest version, the newest first. */
  readonly jobs: readonly { readonly id: string; readonly plugin: string; readonly version: string; readonly state: JobState }[];
  /** Whether a scan saw it and waits for it to settle. */
  readonly waits: boolean;
  /** Whether its newest version waits to be routed. */
  readonly queued: boolean;
  /** Why a scan could not take it, or a folder above it. */
  readonly findings: readonly { readonly kind: string; readonly message: string }[];
}

export async function fileStanding(db: Queryable, sourceId: string, relPath: string): Promise<FileStanding> {
  const { rows } = await db.query<FileStanding>(
    `with newest as (
       select l.state, v.id, v.sequence, v.size_bytes, v.modified_at
       from cf_file_location l join cf_file_version v on v.location_id = l.id
       where l.source_id = $1 and cf_path_key(l.rel_path) = cf_path_key($2)
       order by v.sequence desc limit 1
     )
     select
       (select jsonb_build_object('state', state, 'versionId', id::text, 'sequence', sequence, 'sizeBytes', size_bytes, 'modifiedAt', modified_at)
        from newest) as file,
       coalesce((
         select jsonb_agg(jsonb_build_object('id', j.id::text, 'plugin', j.plugin_name, 'version', p.version, 'state', j.state) order by j.id desc)
         from newest join cf_processing_job j on j.file_version_id = newest.id join cf_plugin_manifest p on p.id = j.plugin_id), '[]') as jobs,
       exists (select from cf_scan_pending where source_id = $1 and cf_path_key(rel_path) = cf_path_key($2)) as waits,
       exists (select from newest join cf_outbox o on o.file_version_id = newest.id) as queued,
       coalesce((
         select jsonb_agg(jsonb_build_object('kind', kind, 'message', message) order by rel_path, kind) from cf_scan_finding
         where source_id = $1 and rel_path <> '' and (rel_path = $2 or starts_with($2, rel_path || '/'))), '[]') as findings`,
    [sourceId, relPath],
  );
  return rows[0]!;
}
