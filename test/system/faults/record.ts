import { join } from "node:path";
import { openDatabase, type Database } from "../../../db/pool.ts";
import { messageOf } from "../../../domain/failure.ts";

export interface FoundVersion {
  readonly id: string;
  readonly path: string;
  readonly sequence: number;
  readonly hash: string;
  readonly stat: string;
}

/** A committed output, with the content of its version, and its job's state. */
export interface FoundOutput {
  readonly job: string;
  readonly version: string;
  readonly hash: string;
  readonly plugin: string;
  readonly output: string;
  readonly state: string;
  readonly replaced: boolean;
  readonly sent: number;
  readonly received: number;
  readonly written: number;
  readonly readBack: number;
  readonly quarantined: number;
  /** Its rows in cf_quarantine. */
  readonly inQuarantine: number;
}

export interface FoundJob {
  readonly id: string;
  readonly version: string;
  readonly plugin: string;
  readonly state: string;
  readonly message: string | null;
}

export interface FoundAttempt {
  readonly outcome: string | null;
  readonly code: string | null;
  readonly message: string | null;
}

/** What the record says, as far as the invariants ask. */
export interface FoundRecord {
  readonly versions: readonly FoundVersion[];
  readonly jobs: readonly FoundJob[];
  readonly attempts: readonly FoundAttempt[];
  readonly outputs: readonly FoundOutput[];
  /** Rows of the outbox. */
  readonly waiting: number;
  /** Why rows were set aside, each as often as it was. */
  readonly reasons: readonly string[];
  readonly findings: readonly { readonly message: string }[];
}

/** Where the home's connection to the targets in Postgres is written. */
export const targetUrlFile = (home: string): string => join(home, "target-url");

export async function withDatabase<T>(url: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openDatabase(url, { max: 1 });
  try {
    return await work(db);
  } finally {
    await db.end();
  }
}

export async function readRecord(db: Database): Promise<FoundRecord> {
  const read = async <Row>(sql: string): Promise<readonly Row[]> => (await db.query(sql)).rows as Row[];
  return {
    versions: await readVersions(db),
    jobs: await read(
      `select id::text, file_version_id::text as version, plugin_id::text as plugin, state, error_message as message
       from cf_processing_job order by id`,
    ),
    attempts: await read("select outcome, error_code as code, error_message as message from cf_job_attempt"),
    outputs: await read(
      `select o.job_id::text as job, v.id::text as version, v.content_hash as hash, o.plugin_id::text as plugin, o.output_name as output,
         j.state, o.replaced_at is not null as replaced, o.rows_sent::int as sent, o.rows_received::int as received,
         o.rows_written::int as written, o.rows_read_back::int as "readBack", o.rows_quarantined::int as quarantined,
         (select count(*)::int from cf_quarantine q where (q.job_id, q.attempt, q.output_name) = (o.job_id, o.attempt, o.output_name))
           as "inQuarantine"
       from cf_job_output o join cf_processing_job j on j.id = o.job_id join cf_file_version v on v.id = j.file_version_id
       where o.state = 'COMMITTED'`,
    ),
    waiting: (await read("select from cf_outbox")).length,
    reasons: (
      await read<{ reason: string }>(
        `select (r ->> 'column') || ': ' || (r ->> 'reason') as reason from cf_quarantine, jsonb_array_elements(reasons) r
         where state = 'QUARANTINED' and (raw ->> 'id') is not null`,
      )
    ).map(({ reason }) => reason),
    findings: await read("select message from cf_scan_finding"),
  };
}

/** In the order in which they were recorded. */
export async function readVersions(db: Database): Promise<readonly FoundVersion[]> {
  const { rows } = await db.query<FoundVersion>(
    `select v.id::text, l.rel_path as path, v.sequence, v.content_hash as hash,
       concat_ws(' ', v.size_bytes, v.mtime_ns, v.ctime_ns, v.inode, v.detected_at) as stat
     from cf_file_version v join cf_file_location l on l.id = v.location_id order by v.id`,
  );
  return rows;
}

/** What the record itself says to an owner of the database who would change a version that jobs refer to, and remove it. */
export async function refusals(db: Database): Promise<readonly string[]> {
  const said: string[] = [];
  const used = "where id = (select min(file_version_id) from cf_processing_job)";
  for (const statement of [`update cf_file_version set size_bytes = size_bytes + 1 ${used}`, `delete from cf_file_version ${used}`]) {
    said.push(
      await db.query(statement).then(
        () => "done",
        (error: unknown) => messageOf(error),
      ),
    );
  }
  return said;
}

export async function countAttempts(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: number }>("select count(*)::int from cf_job_attempt");
  return rows[0]!.count;
}
