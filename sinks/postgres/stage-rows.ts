import type { OpenRequest } from "../sink.ts";
import type { TableName } from "../tables/table-name.ts";
import type { TargetColumn } from "./columns.ts";
import { startCopy, type Copy } from "./copy.ts";
import type { Server } from "./server.ts";
import { createStagingTable, registerStaging, stagingTable } from "./staging.ts";

/** The transaction in which an output's rows are staged. */
export interface Staging {
  /** Resolves when the bytes may be used again. */
  send(block: Uint8Array): Promise<void>;
  /** Ends the transaction; returns how many rows the server counts in the table. */
  stage(): Promise<number>;
  /** Rolls it back. */
  abort(): Promise<void>;
}

export function startStaging(
  server: Server,
  output: { readonly request: OpenRequest; readonly table: TableName; readonly name: string; readonly columns: readonly TargetColumn[] },
): Staging {
  const { table, name, columns } = output;
  const copying = Promise.withResolvers<Copy>();
  const finish = Promise.withResolvers<void>();
  const ended = server.transaction(`rows for ${table.schema}.${table.name} can't be staged`, async (client) => {
    await createStagingTable(client, name, columns);
    // A table of this very transaction takes rows that need no second look: `freeze` spares their first readers a write.
    const copy = startCopy(client, `copy ${stagingTable(name)} from stdin (format binary, freeze)`);
    copying.resolve(copy);
    await finish.promise;
    await copy.end();
    const { rows } = await client.query<{ count: string }>(`select count(*) from ${stagingTable(name)}`);
    const rowCount = Number(rows[0]!.count);
    await registerStaging(client, { ...output, rowCount });
    return rowCount;
  });
  ended.catch(copying.reject);
  // Told by the call that waits for it.
  copying.promise.catch(() => {});
  finish.promise.catch(() => {});
  return {
    async send(block) {
      const copy = await copying.promise;
      try {
        await copy.send(block);
      } catch (error) {
        finish.reject(error);
        await ended;
      }
    },
    stage() {
      finish.resolve();
      return ended;
    },
    async abort() {
      finish.reject(new Error("the output was aborted"));
      await ended.catch(() => {});
    },
  };
}
