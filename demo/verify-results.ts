import { join } from "node:path";
import { execa } from "execa";
import { environmentRoot } from "../bridge/environment-store.ts";
import { hasEnvironment } from "../bridge/environments.ts";
import type { Settings } from "../config/settings.ts";
import type { ControlContext } from "../control/context.ts";
import type { JobRow } from "../control/list-jobs.ts";
import { loadEnvironment } from "../db/plugin.ts";
import { findPython } from "../services/python.ts";

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

export interface Verification {
  readonly checks: readonly Check[];
  /** Every result file, relative to the demo's folder, with its rows. */
  readonly results: readonly { readonly file: string; readonly rows: number; readonly fileVersionId: string }[];
}

/** What `verify.py` prints. */
interface Found {
  readonly sources: Readonly<Record<string, { readonly rows: number; readonly sha256: string }>>;
  readonly results: readonly {
    readonly file: string;
    readonly topic: string;
    readonly rows: number;
    readonly source_hashes: readonly string[];
    readonly file_version_ids: readonly string[];
  }[];
}

/**
 * Compares the record, the results and the sources. The reader of sources and results is a Python script that shares nothing with the
 * product but the files.
 */
export async function verifyResults(given: {
  readonly context: ControlContext;
  readonly jobs: readonly JobRow[];
  readonly inbox: string;
  /** A folder with `airports.csv` as it was before it was edited. */
  readonly before: string;
  readonly settings: Settings;
}): Promise<Verification> {
  const { context, jobs, settings } = given;
  const python = await environmentPython(context, jobs, settings);
  const script = new URL("verify.py", import.meta.url).pathname;
  const { stdout } = await execa(python, [script, join(settings.home, "output"), given.inbox, given.before]);
  const found = JSON.parse(stdout) as Found;

  const versions = await versionsOf(context, "airports.csv");
  const [first, second] = [found.sources["before/airports.csv"], found.sources["inbox/airports.csv"]];
  const checks = [
    ...jobs.map((job) => check(`job ${job.id} completed`, job.state, "COMPLETED")),
    check(
      "planes: rows in Parquet = rows in the file",
      rowsOf(found, "planes", versionOf(jobs, "planes.csv", 1)),
      found.sources["inbox/planes.csv"]?.rows,
    ),
    check(
      "weather: rows in Parquet = rows in the file",
      rowsOf(found, "weather_hours", versionOf(jobs, "weather.csv", 1)),
      found.sources["inbox/weather.csv"]?.rows,
    ),
    check(
      "airports, version 1: rows in Parquet = rows before the edit",
      rowsOf(found, "airports", versionOf(jobs, "airports.csv", 1)),
      first?.rows,
    ),
    check(
      "airports, version 2: rows in Parquet = rows in the file",
      rowsOf(found, "airports", versionOf(jobs, "airports.csv", 2)),
      second?.rows,
    ),
    check(
      "both versions of airports.csv are on record, with the hashes of their bytes",
      versions.join(" "),
      `${first?.sha256} ${second?.sha256}`,
      "SHA-256 computed again",
    ),
    check("each result names the bytes that it was made of", hashesOf(found, jobs), "", "_cf_source_hash in every row"),
  ];
  const results = found.results.map((result) => ({
    file: join("output", result.topic, result.file),
    rows: result.rows,
    fileVersionId: result.file_version_ids.join(","),
  }));
  return { checks, results };
}

function check(name: string, found: unknown, expected: unknown, said?: string): Check {
  const passed = found === expected;
  return { name, passed, detail: passed ? (said ?? String(found)) : `found ${String(found)}, expected ${String(expected)}` };
}

function versionOf(jobs: readonly JobRow[], path: string, sequence: number): string | undefined {
  return jobs.find((job) => job.path === path && job.sequence === sequence)?.fileVersionId;
}

/** Rows of the topic's results that name this version. */
function rowsOf(found: Found, topic: string, fileVersionId: string | undefined): number {
  const own = found.results.filter((result) => result.topic === topic && result.file_version_ids.join() === fileVersionId);
  return own.reduce((sum, result) => sum + result.rows, 0);
}

/** Results whose rows name other bytes than their version's, in words; empty where there are none. */
function hashesOf(found: Found, jobs: readonly JobRow[]): string {
  return found.results
    .filter((result) => {
      const job = jobs.find((candidate) => candidate.fileVersionId === result.file_version_ids.join());
      return job === undefined || result.source_hashes.join() !== job.contentHash;
    })
    .map((result) => result.file)
    .join(" ");
}

/** Content hashes of a file's versions, oldest first. */
async function versionsOf({ db }: ControlContext, path: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ hash: string }>(
    `select v.content_hash as hash from cf_file_version v join cf_file_location l on l.id = v.location_id
     where l.rel_path = $1 order by v.sequence`,
    [path],
  );
  return rows.map((row) => row.hash);
}

async function environmentPython({ db }: ControlContext, jobs: readonly JobRow[], settings: Settings): Promise<string> {
  const environment = await loadEnvironment(db, jobs[0]!.environmentHash);
  const { path } = await findPython(settings.python.interpreter);
  const python = await hasEnvironment({ environment, root: environmentRoot(settings.stateDir), interpreter: path });
  return python!;
}
