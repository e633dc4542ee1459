import { noConnections, type Connections } from "../../domain/connection.ts";
import { postgresAddress, tableFor } from "./address.ts";
import { checkOwnSchema } from "./own-schema.ts";
import { createServers } from "./server.ts";
import { checkTable } from "./table.ts";

/**
 * Asks whether results could be written to a URI's table now, without a change. Throws what a job would: TransientFailure SINK_UNREACHABLE, and
 * TerminalFailure SINK_REFUSED, SINK_TABLE, CONNECTION_UNKNOWN and CONNECTION_SECRET.
 */
export async function probePostgres(
  uri: string,
  { output, connections = noConnections }: { readonly output: string; readonly connections?: Connections | undefined },
): Promise<void> {
  const servers = createServers(connections);
  try {
    const address = postgresAddress(uri);
    const table = tableFor(address.table, output);
    const server = servers.at(address);
    await server.use(`${table.schema}.${table.name} can't be looked at`, async (client) => {
      await checkOwnSchema(client);
      await checkTable(client, table);
    });
  } finally {
    await servers.close();
  }
}
