import { cpus } from "node:os";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { migrate } from "../db/migrate.ts";
import { openDatabase, type Database } from "../db/pool.ts";
import type { Log } from "../domain/log.ts";
import { startPostgres } from "../services/postgres.ts";
import { startTemporal } from "../services/temporal.ts";
import { ensureTools, type Tools } from "../services/tools.ts";
import { workflowBundle } from "./workflow-bundle.ts";

/** What a worker runs on: tools, database, Temporal, and the workflows' code. */
export interface Services {
  readonly tools: Tools;
  readonly db: Database;
  readonly bundlePath: string;
  readonly database: { readonly url: string; readonly readerUrl: string };
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string | null };
}

export interface ServiceOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly onProgress: (text: string) => void;
  /** Told once when a service that we started ends by itself. */
  readonly onDeath: (reason: string) => void;
}

/**
 * Starts the embedded services that the settings ask for, and connects to the others; side by side where nothing waits for the other.
 * Whatever was started is stopped by `stack`, also when a later step fails.
 */
export async function startServices(options: ServiceOptions, stack: AsyncDisposableStack): Promise<Services> {
  const { settings, onProgress } = options;
  const tools = await ensureTools({ stateDir: settings.stateDir, log: options.log, onProgress, python: settings.python.interpreter });
  const starting = [
    startDatabase(options, stack),
    startOrFindTemporal(options, tools, stack),
    workflowBundle(join(settings.stateDir, "cache")),
  ] as const;
  // Wait for all before giving up, so that the stack holds whatever has started.
  await Promise.allSettled(starting);
  const [database, temporal, bundlePath] = await Promise.all(starting);
  return { tools, ...database, temporal, bundlePath };
}

async function startDatabase(
  { settings, log, onProgress, onDeath }: ServiceOptions,
  stack: AsyncDisposableStack,
): Promise<Pick<Services, "db" | "database">> {
  const database = settings.database;
  let urls = { url: "", readerUrl: "" };
  if (database.kind === "external") {
    urls = { url: database.url, readerUrl: database.url };
  } else {
    onProgress("Starting PostgreSQL");
    const postgres = await startPostgres({ stateDir: settings.stateDir, port: database.port, log });
    let stopping = false;
    stack.defer(() => {
      stopping = true;
      return postgres.stop();
    });
    void postgres.exited.then(() => stopping || onDeath("PostgreSQL ended by itself; its log is .casparian/logs/postgres.log"));
    urls = { url: postgres.url, readerUrl: postgres.readerUrl };
  }
  const db = openDatabase(urls.url, { max: 16 + cpus().length, applicationName: "casparian worker" });
  stack.defer(() => db.end());
  await migrate(db);
  return { db, database: urls };
}

async function startOrFindTemporal(
  { settings, log, onProgress, onDeath }: ServiceOptions,
  tools: Tools,
  stack: AsyncDisposableStack,
): Promise<Services["temporal"]> {
  const temporal = settings.temporal;
  if (temporal.kind === "external") return { address: temporal.address, namespace: temporal.namespace, uiUrl: temporal.uiUrl ?? null };
  onProgress("Starting Temporal");
  const server = await startTemporal({
    stateDir: settings.stateDir,
    binary: tools.temporal,
    port: temporal.port,
    uiPort: temporal.uiPort,
    log,
  });
  let stopping = false;
  stack.defer(() => {
    stopping = true;
    return server.stop();
  });
  void server.exited.then(() => stopping || onDeath("Temporal ended by itself; its log is .casparian/logs/temporal.log"));
  return { address: server.address, namespace: server.namespace, uiUrl: server.uiUrl };
}
