import { reorderOutbox } from "./outbox.ts";
import type { Queryable } from "./pool.ts";

export type SourceState = "ACTIVE" | "PAUSED" | "REMOVED";

export type WatchMode = "auto" | "chokidar" | "native" | "off";

/** What a person may choose for a source. */
export interface SourceSettings {
  /** A file is taken once it has not changed for so long. */
  readonly settleMs: number;
  /** Globs of the files that are taken; all where there are none. */
  readonly include: readonly string[];
  /** Globs of the files and folders that are left out. */
  readonly exclude: readonly string[];
  readonly watch: WatchMode;
  /** The whole source is scanned so often; null where `cron` says when, or nothing does. */
  readonly everyMs: number | null;
  readonly cron: string | null;
  /** Scheduled scans begin up to so long later, so that many sources don't begin at once. */
  readonly jitterMs: number;
  readonly sizeBytesMin: number;
  readonly sizeBytesMax: number | null;
  /** Files that were modified longer ago are left out. */
  readonly ageMsMax: number | null;
  /** Higher goes first among the sources' versions. */
  readonly priority: number;
  /** The workers that can reach the folder, by the name that they were started for; any worker where it is null. */
  readonly workerGroup: string | null;
  /** Whether members of archives are files of their own. */
  readonly archives: boolean;
  /** Whether each version's content is kept. */
  readonly snapshots: boolean;
  readonly snapshotAgeMsMax: number | null;
  readonly snapshotCountMax: number | null;
  readonly snapshotBytesMax: number | null;
}

/** A folder that files come from. */
export interface Source extends SourceSettings {
  readonly id: string;
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly state: SourceState;
  readonly createdAt: Date;
}

/** What holds where nothing else is said. */
export const defaultSettings: SourceSettings = {
  settleMs: 2_000,
  include: [],
  exclude: [],
  watch: "auto",
  everyMs: 300_000,
  cron: null,
  jitterMs: 0,
  sizeBytesMin: 0,
  sizeBytesMax: null,
  ageMsMax: null,
  priority: 0,
  workerGroup: null,
  archives: false,
  snapshots: false,
  snapshotAgeMsMax: null,
  snapshotCountMax: null,
  snapshotBytesMax: null,
};

/** Each setting's column; the numbers that may be large are read as JavaScript's, exact up to nine thousand terabytes. */
const settingColumns: Readonly<Record<keyof SourceSettings, string>> = {
  settleMs: "settle_ms",
  include: "include",
  exclude: "exclude",
  watch: "watch",
  everyMs: "every_ms",
  cron: "cron",
  jitterMs: "jitter_ms",
  sizeBytesMin: "size_bytes_min",
  sizeBytesMax: "size_bytes_max",
  ageMsMax: "age_ms_max",
  priority: "priority",
  workerGroup: "worker_group",
  archives: "archives",
  snapshots: "snapshots",
  snapshotAgeMsMax: "snapshot_age_ms_max",
  snapshotCountMax: "snapshot_count_max",
  snapshotBytesMax: "snapshot_bytes_max",
};

export const settingNames = Object.keys(settingColumns) as readonly (keyof SourceSettings)[];

const bigSettings: ReadonlySet<string> = new Set([
  "everyMs",
  "jitterMs",
  "sizeBytesMin",
  "sizeBytesMax",
  "ageMsMax",
  "snapshotAgeMsMax",
  "snapshotBytesMax",
]);

const columns = [
  "id, name, path, state",
  'created_at as "createdAt"',
  ...settingNames.map((name) => `${settingColumns[name]}${bigSettings.has(name) ? "::float8" : ""} as "${name}"`),
].join(", ");

/** The sources in use, by name; removed ones are left out. */
export async function listSources(db: Queryable): Promise<readonly Source[]> {
  const { rows } = await db.query<Source>(`select ${columns} from cf_source_root where state <> 'REMOVED' order by name`);
  return rows;
}

/** The source of this name: the one in use, or else the one that was removed last. */
export async function findSource(db: Queryable, name: string): Promise<Source | null> {
  const { rows } = await db.query<Source>(
    `select ${columns} from cf_source_root where name = $1 order by state = 'REMOVED', id desc limit 1`,
    [name],
  );
  return rows[0] ?? null;
}

/** Adds an active source; null, and nothing is changed, where a source in use has the name. */
export async function insertSource(
  db: Queryable,
  { name, path, ...chosen }: Partial<SourceSettings> & Pick<Source, "name" | "path">,
): Promise<Source | null> {
  const settings = { ...defaultSettings, ...chosen };
  const { rows } = await db.query<Source>(
    `insert into cf_source_root (name, path, ${settingNames.map((setting) => settingColumns[setting]).join(", ")})
     values ($1, $2, ${settingNames.map((_, index) => `$${index + 3}`).join(", ")})
     on conflict (name) where state <> 'REMOVED' do nothing returning ${columns}`,
    [name, path, ...settingNames.map((setting) => settings[setting])],
  );
  return rows[0] ?? null;
}

/** Holds from the next scan on, and for the order of what waits already. In a transaction. */
export async function updateSource(db: Queryable, sourceId: string, settings: SourceSettings): Promise<void> {
  await db.query(
    `update cf_source_root set ${settingNames.map((setting, index) => `${settingColumns[setting]} = $${index + 2}`).join(", ")} where id = $1`,
    [sourceId, ...settingNames.map((setting) => settings[setting])],
  );
  await reorderOutbox(db, sourceId);
}

export async function setSourceState(db: Queryable, sourceId: string, state: SourceState): Promise<void> {
  await db.query("update cf_source_root set state = $2 where id = $1", [sourceId, state]);
}
