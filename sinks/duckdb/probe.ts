import { access, constants } from "node:fs/promises";
import { onFiles } from "../files/refusal.ts";
import { duckdbAddress, pathOf, tableFor } from "./address.ts";
import { isThere, withDatabase } from "./database.ts";
import { scratchOf } from "./engine.ts";
import { checkTable } from "./table.ts";

/**
 * Asks whether results could be written to a URI's table now, without a change and without waiting; where there is no file yet, whether it can
 * be made is not asked. Throws what a job would: TransientFailure SINK_UNREACHABLE where others have the file open, TerminalFailure
 * SINK_REFUSED and SINK_TABLE.
 */
export async function probeDuckdb(uri: string, { output, baseDir }: { readonly output: string; readonly baseDir: string }): Promise<void> {
  const address = duckdbAddress(uri);
  const path = pathOf(address, baseDir);
  const database = { path, lockMsMax: 0 };
  if (!(await isThere(database))) return;
  await onFiles(`${path} can't be written`, () => access(path, constants.W_OK));
  const table = tableFor(address.table, output);
  const use = { access: "read", scratch: scratchOf(path) } as const;
  await withDatabase(database, `${table.schema}.${table.name} can't be looked at`, use, (engine) => checkTable(engine, table));
}
