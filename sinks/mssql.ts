import type { Connections } from "../domain/connection.ts";
import { mssqlAddress } from "./mssql/address.ts";
import { commitStaged, isCommittedThere } from "./mssql/commit.ts";
import { serverAt, type Server } from "./mssql/server.ts";
import { discardStaged, listStaged } from "./mssql/staging.ts";
import { createWriter } from "./mssql/writer.ts";
import type { Sink } from "./sink.ts";
import { commitOf } from "./tables/commit.ts";
import { stagedOf, sweepStaged } from "./tables/staged.ts";

/**
 * Writes each result into a table of SQL Server. Rows are loaded in bulk into a table of their own in the schema `_casparian`, and one
 * transaction moves them to where they are seen, in the place of those that they replace. `connections` are those that URIs may name.
 */
export function createMssqlSink({ connections }: { readonly connections: Connections | undefined }): Sink & { close(): Promise<void> } {
  const serverOf = (uri: string): Server => serverAt(mssqlAddress(uri), connections);
  return {
    async open(request) {
      return createWriter({ request, server: serverOf(request.uri), table: mssqlAddress(request.uri).table });
    },
    async commit(output, replaced = []) {
      await commitStaged(serverOf(output.uri), commitOf(output, replaced));
    },
    isCommitted: async (output) => isCommittedThere(serverOf(output.uri), stagedOf(output)),
    async discard(output) {
      const { table, name } = stagedOf(output);
      await discardStaged(serverOf(output.uri), table, name);
    },
    async sweep(uri, isAlive) {
      const [server, { table }] = [serverOf(uri), mssqlAddress(uri)];
      return sweepStaged(await listStaged(server, table), isAlive, (name) => discardStaged(server, table, name));
    },
    // No connection outlives the call that needed it, but for those of writers.
    close: async () => {},
  };
}
