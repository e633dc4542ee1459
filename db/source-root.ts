import type { Queryable } from "./pool.ts";

export type SourceState = "ACTIVE" | "PAUSED" | "REMOVED";

/** A folder that files come from. */
export interface Source {
  readonly id: string;
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** A file is taken once it has not changed for so long. */
  readonly settleMs: number;
  /** Globs of the files that are taken; all where there are none. */
  readonly include: readonly string[];
  /** Globs of the files and folders that are left out. */
  readonly exclude: readonly string[];
  readonly state: SourceState;
  readonly createdAt: Date;
}

export type SourceSettings = Pick<Source, "settleMs" | "include" | "exclude">;

const columns = `id, name, path, settle_ms as "settleMs", include, exclude, state, created_at as "createdAt"`;

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
export async function insertSource(db: Queryable, source: SourceSettings & Pick<Source, "name" | "path">): Promise<Source | null> {
  const { rows } = await db.query<Source>(
    `insert into cf_source_root (name, path, settle_ms, include, exclude) values ($1, $2, $3, $4, $5)
     on conflict (name) where state <> 'REMOVED' do nothing returning ${columns}`,
    [source.name, source.path, source.settleMs, source.include, source.exclude],
  );
  return rows[0] ?? null;
}

/** Holds from the next scan on. */
export async function updateSource(db: Queryable, sourceId: string, settings: SourceSettings): Promise<void> {
  await db.query("update cf_source_root set settle_ms = $2, include = $3, exclude = $4 where id = $1", [
    sourceId,
    settings.settleMs,
    settings.include,
    settings.exclude,
  ]);
}

export async function setSourceState(db: Queryable, sourceId: string, state: SourceState): Promise<void> {
  await db.query("update cf_source_root set state = $2 where id = $1", [sourceId, state]);
}
