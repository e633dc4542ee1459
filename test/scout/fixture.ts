import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { Database } from "../../db/pool.ts";
import { findSource, insertSource, type Source, type SourceSettings } from "../../db/source-root.ts";
import type { Log } from "../../domain/log.ts";
import { scanSource, type ScanReport, type ScanRequest } from "../../scout/scan.ts";
import { createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { sha256 } from "../support/sha256.ts";

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
}

export function recordingLog(): Log & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at = (level: string) => (message: string) => void lines.push({ level, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

const folders: string[] = [];

/** A folder that `removeTemporaryFolders` removes. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "casparian-scout-")));
  folders.push(folder);
  return folder;
}

export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export interface Field {
  readonly source: Source;
  readonly root: string;
  readonly log: ReturnType<typeof recordingLog>;
  /** Writes a file below the root. */
  readonly write: (relPath: string, content: string | Uint8Array) => void;
  readonly scan: (paths?: readonly string[] | null, options?: Partial<ScanRequest>) => Promise<ScanReport>;
  /** Each location with its state and the first characters of its versions' hashes. */
  readonly record: () => Promise<readonly string[]>;
  readonly findings: () => Promise<readonly string[]>;
}

let count = 0;

/** A source of its own, on a folder of its own, without a settle time unless one is given. */
export async function openField(db: Database, threads: ScoutThreads, settings: Partial<SourceSettings> = {}): Promise<Field> {
  const root = temporaryFolder();
  count += 1;
  const name = `source-${process.pid}-${count}`;
  await insertSource(db, { name, path: root, settleMs: 0, include: [], exclude: [], ...settings });
  const source = (await findSource(db, name))!;
  const log = recordingLog();
  return {
    source,
    root,
    log,
    write(relPath, content) {
      mkdirSync(dirname(join(root, relPath)), { recursive: true });
      writeFileSync(join(root, relPath), content);
    },
    scan: (paths = null, options = {}) => scanSource({ db, source, paths, threads, log, signal: new AbortController().signal, ...options }),
    record: () => readRecord(db, source.id),
    async findings() {
      const { rows } = await db.query("select kind, rel_path from cf_scan_finding where source_id = $1 order by 1, 2", [source.id]);
      return rows.map((row: { kind: string; rel_path: string }) => `${row.kind} ${row.rel_path}`);
    },
  };
}

/** What the tests of a file share: a record and threads. */
export interface ScoutWorld {
  readonly db: Database;
  readonly url: string;
  readonly threads: ScoutThreads;
  readonly openField: (settings?: Partial<SourceSettings>) => Promise<Field>;
}

/** Of the file that calls it: there from its first test on, and gone with all temporary folders after its last. */
export function scoutWorld(): ScoutWorld {
  let database: TestDatabase;
  let threads: ScoutThreads;
  beforeAll(async () => {
    database = await testDatabase();
    threads = createScoutThreads(2);
  });
  afterAll(async () => {
    await threads.close();
    await database.close();
    removeTemporaryFolders();
  });
  return {
    get db() {
      return database.db;
    },
    get url() {
      return database.url;
    },
    get threads() {
      return threads;
    },
    openField: (settings) => openField(database.db, threads, settings),
  };
}

export async function readRecord(db: Database, sourceId: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ line: string }>(
    `select l.rel_path || ' ' || l.state || ' ' || string_agg(v.sequence || ':' || left(v.content_hash, 6), ' ' order by v.sequence) as line
     from cf_file_location l join cf_file_version v on v.location_id = l.id
     where l.source_id = $1 group by l.id order by l.rel_path collate "C"`,
    [sourceId],
  );
  return rows.map((row) => row.line);
}

/** A content's hash as `readRecord` tells it. */
export function short(content: string | Uint8Array): string {
  return sha256(content).slice(0, 6);
}

/** Gives a file's times a value, in seconds since 1970; its ctime becomes now, as no program can choose it. */
export function setModified(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

/** Permissions hold for everybody but root, as which tests may run. The system's threads all follow. */
export async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
