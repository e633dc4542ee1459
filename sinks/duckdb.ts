import { dirname } from "node:path";
import { removeStaging, sweepStaging } from "./files/staging.ts";
import { duckdbAddress, pathOf, tableFor, uriOf } from "./duckdb/address.ts";
import { commitStaged, isCommittedThere } from "./duckdb/commit.ts";
import type { Database } from "./duckdb/database.ts";
import { keyOf } from "./duckdb/own-schema.ts";
import { createStagePool } from "./duckdb/stage-pool.ts";
import { createWriter } from "./duckdb/writer.ts";
import { createShares } from "./tables/shares.ts";
import type { Sink } from "./sink.ts";
import { commitOf } from "./tables/commit.ts";
import { stagedOf } from "./tables/staged.ts";

export interface DuckdbSinkOptions {
  /** Absolute; relative URIs are below it. */
  readonly baseDir: string;
  /** How long a file that others have open is waited for; 5 s unless given. */
  readonly lockMsMax?: number;
}

/**
 * Writes results into a table of a DuckDB file. Rows are staged in a database file of their own beside it, and become visible in one
 * transaction that also holds the commit marker. The target is open only for that moment, because DuckDB lets nobody else open it meanwhile.
 */
export function createDuckdbSink({ baseDir, lockMsMax = 5_000 }: DuckdbSinkOptions): Sink & { close(): Promise<void> } {
  const pool = createStagePool();
  const shares = createShares("duckdb");
  const databaseOf = (uri: string): Database => ({ path: pathOf(duckdbAddress(uri), baseDir), lockMsMax });
  const folderOf = (uri: string): string => dirname(databaseOf(uri).path);

  return {
    async open(request) {
      const database = databaseOf(request.uri);
      const table = tableFor(duckdbAddress(request.uri).table, request.output);
      const release = shares.claim(request, `${database.path} ${keyOf(table)}`, uriOf(database.path, table));
      try {
        return await createWriter({ request, database, table, pool, onEnd: release });
      } catch (error) {
        release();
        throw error;
      }
    },
    async commit(staged, replaced = []) {
      const commit = commitOf(staged, replaced);
      await commitStaged(databaseOf(staged.uri), commit);
      await removeStaging(folderOf(staged.uri), commit.name);
    },
    isCommitted: (staged) => isCommittedThere(databaseOf(staged.uri), stagedOf(staged)),
    discard: async (staged) => removeStaging(folderOf(staged.uri), stagedOf(staged).name),
    sweep: async (uri, isAlive) => sweepStaging(folderOf(uri), isAlive),
    close: () => pool.close(),
  };
}
