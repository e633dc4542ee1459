import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";
import { ensureEnvironment, standardEnvironment } from "../../bridge/environments.ts";
import { migrate } from "../../db/migrate.ts";
import { openDatabase } from "../../db/pool.ts";
import type { Log } from "../../domain/log.ts";
import { isLocked, takeLock } from "../../services/lock.ts";
import { startPostgres, stopLeftoverPostgres } from "../../services/postgres.ts";
import { startTemporal, stopLeftoverTemporal } from "../../services/temporal.ts";
import { ensureTools, type Tools } from "../../services/tools.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Of the cluster's superuser; tests make their own databases with it. */
    databaseUrl: string;
    readerUrl: string;
    temporalAddress: string;
    tools: Tools & { readonly environmentPython: string };
  }
}

/** Kept from run to run, and shared by runs at the same time. */
const shared = resolve(import.meta.dirname, "../../.casparian/test");

/**
 * What every test file shares: one PostgreSQL with a migrated template database, one Temporal server, the tools and the standard Python
 * environment. The services' state is this run's own, so several runs at once don't meet.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandoned();
  await mkdir(join(shared, "runs"), { recursive: true });
  const stateDir = await mkdtemp(join(shared, "runs", "run-"));
  const lock = await takeLock(join(stateDir, "lock"), 0);
  // The programs that tests start find the tools there, too.
  process.env["CASPARIAN_TOOLS_DIR"] = join(shared, "tools");

  const tools = await ensureTools({ stateDir: shared, log, onProgress: (step) => console.log(step) });
  const [postgres, temporal, environmentPython] = await Promise.all([
    startPostgres({ stateDir, log }),
    startTemporal({ stateDir, binary: tools.temporal, log }),
    buildEnvironment(tools),
  ]);
  await makeTemplate(postgres.url);
  project.provide("databaseUrl", postgres.url);
  project.provide("readerUrl", postgres.readerUrl);
  project.provide("temporalAddress", temporal.address);
  project.provide("tools", { ...tools, environmentPython });

  return async () => {
    await Promise.all([postgres.stop(), temporal.stop()]);
    lock?.release();
    await rm(stateDir, { recursive: true, force: true });
  };
}

/** Runs that were killed leave their services and their folder; a run that goes on holds its lock. */
async function removeAbandoned(): Promise<void> {
  const lock = await takeLock(join(shared, "runs.lock"), 60_000);
  try {
    for (const name of await readdir(join(shared, "runs")).catch(() => [])) {
      const stateDir = join(shared, "runs", name);
      if (!existsSync(join(stateDir, "lock")) || isLocked(join(stateDir, "lock"))) continue;
      await Promise.all([stopLeftoverPostgres(stateDir, log), stopLeftoverTemporal(stateDir, log)]);
      await rm(stateDir, { recursive: true, force: true });
    }
  } finally {
    lock?.release();
  }
}

async function makeTemplate(url: string): Promise<void> {
  const cluster = openDatabase(url);
  // Nothing of it outlives the run, and no test kills this server; those of crashes have servers of their own.
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"]) await cluster.query(`alter system set ${setting} = off`);
  await cluster.query("select pg_reload_conf()");
  await cluster.query("create database record_template");
  await cluster.end();
  const template = openDatabase(Object.assign(new URL(url), { pathname: "/record_template" }).href);
  await migrate(template, { log });
  await template.end();
}

async function buildEnvironment({ uv, python }: Tools): Promise<string> {
  const built = await ensureEnvironment({
    environment: standardEnvironment(),
    root: join(shared, "environments"),
    uv,
    interpreter: python,
    signal: new AbortController().signal,
    log,
    onProgress: (step) => console.log(step),
  });
  return built.python;
}

/** Only trouble is worth a line among test results. */
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (message, fields) => console.warn(message, fields ?? {}),
  error: (message, fields) => console.error(message, fields ?? {}),
};
