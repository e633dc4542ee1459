import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createSinks } from "../../sinks/registry.ts";
import { sweepStaging } from "../../workers/sweep-staging.ts";
import { testDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";

const database = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-sweep-"));
const sinks = createSinks({ baseDir: home });

afterAll(async () => {
  await sinks.close();
  await database.close();
  await rm(home, { recursive: true, force: true });
});

test("outputs without a topic are swept by their folders, and a file beside them is no such output", async () => {
  const staging = join(home, "output", "unconfigured", "_casparian_staging");
  await mkdir(staging, { recursive: true });
  await writeFile(join(staging, "7-1-unconfigured-0a1b2c3d.parquet.staged"), "half of a result");
  await writeFile(join(home, "output", "lake.duckdb"), "as a topic of DuckDB has it");
  const warnings: unknown[] = [];
  const log = { ...quietLog, warn: (message: string, fields?: object) => void warnings.push({ message, ...fields }) };
  await sweepStaging({ db: database.db, sinks, home, log });
  expect(warnings).toEqual([]);
  expect(await readdir(join(home, "output"), { recursive: true })).toEqual(expect.arrayContaining(["lake.duckdb"]));
  expect((await readdir(join(home, "output"), { recursive: true })).filter((path) => path.endsWith(".staged"))).toEqual([]);
});
