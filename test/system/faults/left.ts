import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeProcesses, processesOf } from "../../support/product.ts";
import { targetUrlFile, withDatabase } from "./record.ts";

/** What nobody may leave behind, when the product has ended. */
export interface Left {
  readonly files: readonly string[];
  readonly scratch: readonly string[];
  /** With their command lines. */
  readonly processes: string;
}

export async function leftIn(home: string): Promise<Left> {
  return {
    files: await stagedFiles(home),
    // A worker's own folder stays, and in it the one for members of archives; both are empty.
    scratch: (await below(home, ".casparian/scratch")).filter((path) => path.includes("/") && !/^[^/]+\/members$/.test(path)),
    processes: await describeProcesses(await processesOf(home)),
  };
}

/** The folder above several targets stays, empty. */
export async function stagedFiles(home: string): Promise<readonly string[]> {
  return (await below(home, "output")).filter((path) => /_casparian_staging\/./.test(path));
}

/** In the targets in Postgres, which must run. */
export async function stagedTables(home: string): Promise<readonly string[]> {
  return withDatabase((await readFile(targetUrlFile(home), "utf8")).trim(), async (db) => {
    const { rows } = await db.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = '_casparian'::regnamespace and relname like 'staged%'
       union select name from _casparian.staging`,
    );
    return rows.map(({ name }) => name);
  });
}

async function below(home: string, folder: string): Promise<readonly string[]> {
  return readdir(join(home, folder), { recursive: true }).catch(() => []);
}
