import { TerminalFailure } from "../domain/failure.ts";
import { noConnections, type Connections } from "../domain/connection.ts";
import { postgresAddress, tableFor } from "./postgres/address.ts";
import { commitStaged, isCommittedThere } from "./postgres/commit.ts";
import { createServers, type Server } from "./postgres/server.ts";
import { discardStaged, listStaged } from "./postgres/staging.ts";
import { createWriter } from "./postgres/writer.ts";
import type { OpenRequest, Sink } from "./sink.ts";
import { commitOf } from "./tables/commit.ts";
import { stagedOf, sweepStaged } from "./tables/staged.ts";
import type { TableName } from "./tables/table-name.ts";

/**
 * Writes results into a table of a Postgres database. Rows are staged by binary `COPY` in a table of the schema `_casparian`, and become
 * visible in one transaction that also holds the commit marker, so that a result is there once, wherever a worker dies.
 */
export function createPostgresSink({ connections = noConnections }: { readonly connections?: Connections | undefined }): Sink & {
  close(): Promise<void>;
} {
  const servers = createServers(connections);
  const serverOf = (uri: string): Server => servers.at(postgresAddress(uri));
  const shares = createShares();

  return {
    async open(request) {
      const address = postgresAddress(request.uri);
      const table = tableFor(address.table, request.output);
      const release = shares.claim(request, table);
      try {
        return await createWriter({ request, table, server: servers.at(address), onEnd: release });
      } catch (error) {
        release();
        throw error;
      }
    },
    async commit(staged, replaced = []) {
      await commitStaged(serverOf(staged.uri), commitOf(staged, replaced));
    },
    isCommitted: (staged) => isCommittedThere(serverOf(staged.uri), stagedOf(staged)),
    discard: (staged) => discardStaged(serverOf(staged.uri), stagedOf(staged).name),
    async sweep(uri, isAlive) {
      const { table } = postgresAddress(uri);
      // Topics name their table when they are set (`postgresUri`).
      if (table === null) return [];
      const server = serverOf(uri);
      return sweepStaged(await listStaged(server, table), isAlive, (name) => discardStaged(server, name));
    },
    close: () => servers.close(),
  };
}

/**
 * Which outputs of an attempt go to which table. A row says its job and not its output, so where results are replaced one by one, a table
 * takes one output of a job; this is found while both are open, before any row is visible.
 */
function createShares(): { claim(request: OpenRequest, table: TableName): () => void } {
  const open = new Map<string, Set<OpenRequest>>();
  return {
    claim(request, table) {
      const { schema, name } = table;
      const key = JSON.stringify([request.jobId, request.attempt, request.uri, schema, name]);
      const others = open.get(key) ?? new Set();
      const other = [...others].find(({ output, mode }) => output !== request.output && (mode === "replace" || request.mode === "replace"));
      if (other !== undefined)
        throw new TerminalFailure({
          code: "SINK_TABLE_SHARED",
          message: `the outputs ${other.output} and ${request.output} of one job go to one table, ${schema}.${name}, with mode replace: rows say their job and not their output`,
          hint: "Give each output a table of its own: casparian topic set PLUGIN OUTPUT postgres://…",
        });
      open.set(key, others.add(request));
      return () => {
        others.delete(request);
        if (others.size === 0) open.delete(key);
      };
    },
  };
}
