import { hashArtifact } from "../../bridge/artifact.ts";
import { environmentOf } from "../../bridge/environments.ts";
import { recordVersions } from "../../db/file-version.ts";
import { recordCommitted, recordStaged } from "../../db/job-output.ts";
import { beginAttempt, endAttempt, insertJobs, setJobState } from "../../db/job.ts";
import { activateArtifact, insertArtifact, insertEnvironment } from "../../db/plugin.ts";
import type { Database } from "../../db/pool.ts";
import { insertSource, listSources, type Source } from "../../db/source-root.ts";
import type { PluginManifest } from "../../domain/plugin.ts";
import { sha256 } from "./sha256.ts";

/** Fills a record by the product's own queries, for tests that look at what is in it. */
export function fillRecord(db: Database) {
  return {
    async source(name: string, path = `/nowhere/${name}`): Promise<Source> {
      const added = await insertSource(db, { name, path, settleMs: 0, include: [], exclude: [] });
      return added ?? (await listSources(db)).find((source) => source.name === name)!;
    },

    /** Records one more version of a file, as a scan that hashed it would, and returns the version's id. */
    async version(source: Source, relPath: string, content: string): Promise<string> {
      const stat = { sizeBytes: content.length, mtimeNs: clock++ * 1_000_000_000n, ctimeNs: clock * 1_000_000_000n, inode: clock };
      await recordVersions(db, source.id, [{ relPath, hash: sha256(content), stat }]);
      const { rows } = await db.query<{ id: string }>(
        `select v.id from cf_file_version v join cf_file_location l on l.id = v.location_id
         where l.source_id = $1 and l.rel_path = $2 order by v.sequence desc limit 1`,
        [source.id, relPath],
      );
      return rows[0]!.id;
    },

    /** Publishes an artifact and makes it the active one; returns its id. */
    async plugin(
      name: string,
      version: string,
      options: { readonly code?: string; readonly manifest?: Partial<PluginManifest> } = {},
    ): Promise<string> {
      const sourceCode = options.code ?? `class Handler: pass  # ${name} ${version}`;
      const environment = environmentOf("pandas==2.3.3\npyarrow==22.0.0\n", "3.11");
      await insertEnvironment(db, environment);
      const id = await insertArtifact(db, {
        name,
        version,
        artifactHash: hashArtifact(sourceCode, environment.hash),
        sourceCode,
        manifest: { patterns: [], topic: "output", ...options.manifest },
        environmentHash: environment.hash,
        publisher: "test@here",
      });
      await activateArtifact(db, name, id);
      return id;
    },

    /** Makes a job and leaves it QUEUED; returns its id. Its version is planned then, and leaves the outbox. */
    async job(fileVersionId: string, pluginId: string, pluginName: string): Promise<string> {
      await insertJobs(db, fileVersionId, [{ pluginId, pluginName, priority: 0 }]);
      await db.query("delete from cf_outbox where file_version_id = $1", [fileVersionId]);
      const { rows } = await db.query<{ id: string }>("select id from cf_processing_job where file_version_id = $1 and plugin_id = $2", [
        fileVersionId,
        pluginId,
      ]);
      return rows[0]!.id;
    },

    /** Takes a QUEUED job to COMPLETED, with one committed output of so many rows. */
    async complete(jobId: string, rowCount: number, target: string): Promise<void> {
      const attempt = await beginAttempt(db, jobId, "test:1");
      const { rows } = await db.query<{ fileVersionId: string; pluginId: string }>(
        `select file_version_id as "fileVersionId", plugin_id as "pluginId" from cf_processing_job where id = $1`,
        [jobId],
      );
      const entry = {
        output: "output",
        uri: "parquet://output/output",
        mode: "append" as const,
        rowsSent: rowCount,
        rowsReceived: rowCount,
        rowsWritten: rowCount,
        rowsQuarantined: 0,
        rowsReadBack: rowCount,
        sizeBytes: 1_000,
        columns: [],
        staged: {},
        target,
        contractId: null,
        givenColumns: [],
        nextColumns: null,
        rejected: { rows: [], pieces: [] },
      };
      await recordStaged(db, { id: jobId, attempt, ...rows[0]! }, [entry], 50_000_000);
      await recordCommitted(db, jobId, attempt);
    },

    /** Takes a QUEUED job to FAILED. */
    async fail(jobId: string, message: string): Promise<void> {
      const attempt = await beginAttempt(db, jobId, "test:1");
      await endAttempt(db, jobId, attempt, { outcome: "FAILED", errorCode: "PLUGIN_RAISED", errorMessage: message });
      await setJobState(db, jobId, "FAILED", { code: "PLUGIN_RAISED", message, hint: "Look at its traceback" });
    },
  };
}

/** Seconds since 1970, one more at each use: every version has another stat. */
let clock = 1_700_000_000n;
