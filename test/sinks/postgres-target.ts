import { emptyDatabase } from "../support/database.ts";
import type { TargetKind } from "./conformance.ts";
import { openTableReader, type TableReader } from "./table-reader.ts";

export interface PostgresKind extends TargetKind {
  /** Of the database, with the password. */
  readonly url: string;
  /** As an independent reader. */
  readonly query: TableReader["query"];
}

/** A database of its own, whose tables keep what is replaced or not; sinks get its password from the environment, also in processes that the tests start. */
export async function openPostgresKind({ keeps = false }: { readonly keeps?: boolean } = {}): Promise<PostgresKind> {
  const { url, close } = await emptyDatabase();
  const address = new URL(url);
  process.env["PGPASSWORD"] = decodeURIComponent(address.password);
  address.password = "";
  const reader = await openTableReader(url);
  let targets = 0;
  return {
    url,
    query: (sql) => reader.query(sql),
    baseDir: "/nowhere",
    newUri: () => `${address.href}?table=public.target_${++targets}${keeps ? "&keep=replaced" : ""}`,
    read: (uri) => reader.read(new URL(uri).searchParams.get("table")!),
    traces: () => reader.traces(),
    async close() {
      await reader.end();
      await close();
    },
  };
}
