/** Why a job has no result, as the record keeps it. */
export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}
