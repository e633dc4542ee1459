import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createJobActivities, type JobActivities } from "../../activities/job.ts";
import { createPace } from "../../activities/pace.ts";
import { createPlanActivities, type PlanActivities } from "../../activities/plan.ts";
import { createVersionOf } from "../../activities/version-of.ts";
import { hashArtifact } from "../../bridge/artifact.ts";
import type { Connections } from "../../domain/connection.ts";
import { standardEnvironment } from "../../bridge/environments.ts";
import { createPluginPool, type PluginPool } from "../../bridge/pool.ts";
import type { Runners } from "../../bridge/runner/listener.ts";
import { activateArtifact, insertArtifact, insertEnvironment } from "../../db/plugin.ts";
import { insertRule } from "../../db/routing-rule.ts";
import { insertOutbox } from "../../db/outbox.ts";
import { readStat } from "../../scout/stat.ts";
import { createSinks, type Sinks } from "../../sinks/registry.ts";
import { openStore, viewsFolder, type SnapshotStore } from "../../snapshots/store.ts";
import { ownFolder } from "../../workers/own-folder.ts";
import { testDatabase, type TestDatabase } from "./database.ts";
import { environmentRoot as sharedEnvironments } from "./environment-root.ts";
import { quietLog } from "./quiet-log.ts";
import { sha256 } from "./sha256.ts";
import { testTools } from "./tools.ts";

/** A record, a folder and the activities of a worker, without Temporal: for tests of what happens between two lines. */
export interface JobFixture extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly folder: string;
  readonly output: string;
  readonly activities: PlanActivities & JobActivities;
  readonly pool: PluginPool;
  readonly sinks: Sinks;
  /** Where copies of contents are; empty at first. */
  readonly store: SnapshotStore;
  /** Public keys whose signatures count, with their names; none at first. */
  readonly trustedKeys: Map<string, string>;
  /** Paths for which a scan was asked. */
  readonly scansRequested: string[];
  /** Publishes source code as the active plugin of this name, with a rule for the pattern. */
  publish(name: string, source: string, pattern: string): Promise<string>;
  /** Writes a file and records it as a version that waits in the outbox; returns the version's id. */
  record(name: string, content: string): Promise<string>;
}

export async function createJobFixture({
  requireSignature = false,
  connections,
  environmentRoot = sharedEnvironments,
  runners,
}: {
  readonly requireSignature?: boolean;
  readonly connections?: Connections;
  readonly environmentRoot?: string;
  readonly runners?: Runners;
} = {}): Promise<JobFixture> {
  const database = await testDatabase();
  const { db } = database;
  const folder = await mkdtemp(join(tmpdir(), "casparian-jobs-"));
  await mkdir(join(folder, "in"));
  const tools = testTools();
  const pool = createPluginPool({ maxParents: 2, log: quietLog });
  const sinks = createSinks({ baseDir: folder, connections });
  const scansRequested: string[] = [];
  const trustedKeys = new Map<string, string>();
  const pace = createPace();
  const versionOf = createVersionOf(db);
  const store = await openStore(join(folder, "state"));
  const place = { environmentRoot, interpreter: tools.python };
  const activities = {
    ...createPlanActivities({ db, ...place, pace, versionOf }),
    ...createJobActivities({
      versionOf,
      db,
      log: quietLog,
      sinks,
      pool,
      runners,
      worker: "test",
      concurrency: 2,
      pace,
      ...place,
      scratchRoot: join(folder, "scratch"),
      snapshots: { store, views: await ownFolder(viewsFolder(store)) },
      trust: { keys: () => trustedKeys, requireSignature },
      uv: tools.uv,
      limits: { seconds: 60, memoryBytes: 2 ** 31, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
      requestScan: async (_source, path) => void scansRequested.push(path),
    }),
  };
  const { rows } = await db.query<{ id: string }>("insert into cf_source_root (name, path) values ('in', $1) returning id", [
    join(folder, "in"),
  ]);
  const sourceId = rows[0]!.id;
  let published = 0;

  return {
    database,
    folder,
    output: join(folder, "output"),
    activities,
    pool,
    sinks,
    store,
    scansRequested,
    trustedKeys,
    async publish(name, sourceCode, pattern) {
      published += 1;
      const environment = standardEnvironment();
      await insertEnvironment(db, environment);
      const id = await insertArtifact(db, {
        name,
        version: String(published),
        artifactHash: hashArtifact(sourceCode, environment.hash),
        sourceCode,
        manifest: { patterns: [pattern], topic: name },
        environmentHash: environment.hash,
        publisher: "test",
      });
      await activateArtifact(db, name, id);
      await insertRule(db, { pattern, pluginName: name, sourceId: null, priority: 0, tag: null });
      return id;
    },
    async record(name, content) {
      const path = join(folder, "in", name);
      await writeFile(path, content);
      const stat = (await readStat(path))!;
      const version = await db.query<{ id: string }>(
        `with location as (
           insert into cf_file_location as l (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode) values ($1, $2, $3, $4, $5, $6)
           on conflict (source_id, cf_path_key(rel_path)) do update set size_bytes = excluded.size_bytes returning id
         )
         insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at)
         select id, 1 + (select count(*) from cf_file_version v where v.location_id = location.id), $7, $3, $4, $5, $6, now() from location
         returning id`,
        [sourceId, name, stat.sizeBytes, stat.mtimeNs, stat.ctimeNs, BigInt.asIntN(64, stat.inode), sha256(content)],
      );
      await insertOutbox(db, [version.rows[0]!.id], "NEW");
      return version.rows[0]!.id;
    },
    async [Symbol.asyncDispose]() {
      await pool.close();
      await sinks.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
