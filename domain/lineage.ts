/** What every row that is written says of its origin. */
export interface Lineage {
  /** SHA-256 of the file's content. */
  readonly sourceHash: string;
  readonly jobId: string;
  readonly fileVersionId: string;
  /** When this attempt of the job began to process the file. */
  readonly processedAt: Date;
  /** `name@version`. */
  readonly pluginVersion: string;
}

/** Columns that a sink appends to each row, in this order. A plugin's own column can't have one of these names. */
export const lineageColumns = ["_cf_source_hash", "_cf_job_id", "_cf_file_version_id", "_cf_processed_at", "_cf_plugin_version"] as const;
