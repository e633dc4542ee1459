import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { duckdbPython } from "../support/duckdb-python.ts";
import type { Found, TargetKind } from "./conformance.ts";

/**
 * Answers each line, a JSON array of a file, a statement and whether it writes, with rows. Opens the file for the moment only, and waits where it is locked, as
 * others must.
 */
const reader = `
import json, os, sys, time
import duckdb
def ask(path, sql, writes):
    if not os.path.exists(path):
        return None
    while True:
        try:
            with duckdb.connect(path, read_only=not writes) as connection:
                return connection.execute(sql).fetchall()
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            time.sleep(0.002)
        except duckdb.CatalogException as error:
            return str(error)
for line in sys.stdin:
    print(json.dumps(ask(*json.loads(line)), default=str), flush=True)
`;

export interface DuckdbKind extends TargetKind {
  pathOf(uri: string): string;
  /** As an independent reader; null where there is no file, a text where it has no such table. */
  query(path: string, sql: string): Promise<readonly (readonly unknown[])[] | string | null>;
  /** The same as one who may write. */
  change: DuckdbKind["query"];
}

/** Files whose tables keep what is replaced, or not. */
export async function openDuckdbKind({ keeps = false }: { readonly keeps?: boolean } = {}): Promise<DuckdbKind> {
  const baseDir = await mkdtemp(join(tmpdir(), "casparian-duckdb-"));
  const python = execa(await duckdbPython(), ["-c", reader], { reject: false, stderr: "inherit" });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const pathOf = (uri: string): string => resolve(baseDir, /^duckdb:\/\/(.*)\?/.exec(uri)![1]!);
  let asking: Promise<unknown> = Promise.resolve();
  const ask = (...question: readonly [path: string, sql: string, writes: boolean]): ReturnType<DuckdbKind["query"]> => {
    const answer = asking.then(async () => {
      python.stdin.write(`${JSON.stringify(question)}\n`);
      return JSON.parse((await answers.next()).value ?? "null") as Awaited<ReturnType<DuckdbKind["query"]>>;
    });
    asking = answer;
    return answer;
  };
  const query: DuckdbKind["query"] = (path, sql) => ask(path, sql, false);
  let targets = 0;
  return {
    baseDir,
    pathOf,
    query,
    change: (path, sql) => ask(path, sql, true),
    newUri: () => `duckdb://outputs/folder-${++targets}/lake.duckdb?table=main.trades${keeps ? "&keep=replaced" : ""}`,
    async read(uri) {
      // There is no queue for the file: one who reads without a pause would let others in by chance only.
      await sleep(30);
      const none: Found = { rows: 0, sum: 0, jobs: [] };
      const sql = `select count(*), coalesce(sum(n), 0)::bigint, list(distinct _cf_job_id::varchar) from trades`;
      const found = await query(pathOf(uri), sql);
      if (found === null || typeof found === "string") return none;
      const [rows, sum, jobs] = found[0] as [number, number, string[] | null];
      return rows === 0 ? none : { rows, sum, jobs: jobs!.toSorted() };
    },
    async traces(uri) {
      const found = await readdir(join(pathOf(uri), ".."), { recursive: true }).catch(() => []);
      return found.filter((path) => path !== "lake.duckdb");
    },
    async close() {
      python.stdin.end();
      await python;
      await rm(baseDir, { recursive: true });
    },
  };
}
