import { noConnections, type Connections } from "../domain/connection.ts";
import { postgresAddress, tableFor } from "./postgres/address.ts";
import { commitStaged, isCommittedThere } from "./postgres/commit.ts";
import { createServers, type Server } from "./postgres/server.ts";
import { discardStaged, listStaged } from "./postgres/staging.ts";
import { createWriter } from "./postgres/writer.ts";
import { createShares } from "./tables/shares.ts";
import type { Sink } from "./sink.ts";
import { commitOf } from "./tables/commit.ts";
import { targetUri } from "./tables/keep.ts";
import { stagedOf, sweepStaged } from "./tables/staged.ts";

/**
 * Writes results into a table of a Postgres database. Rows are staged by binary `COPY` in a table of the schema `_casparian`, and become
 * visible in one transaction that also holds the commit marker, so that a result is there once, wherever a worker dies.
 */
export function createPostgresSink({ connections = noConnections }: { readonly connections?: Connections | undefined }): Sink & {
  close(): Promise<void>;
} {
  const servers = createServers(connections);
  const serverOf = (uri: string): Server => servers.at(postgresAddress(uri));
  const shares = createShares("postgres");

  return {
    async open(request) {
      const address = postgresAddress(request.uri);
      const table = tableFor(address.table, request.output);
      const { schema, name } = table;
      const release = shares.claim(request, JSON.stringify([targetUri(request.uri), schema, name]), `${schema}.${name}`);
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
