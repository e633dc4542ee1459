import { Client } from "@temporalio/client";
import { NativeConnection } from "@temporalio/worker";
import { createDispatcher } from "../activities/dispatch.ts";
import { openConnections } from "../config/connections.ts";
import type { Settings } from "../config/settings.ts";
import type { Database } from "../db/pool.ts";
import type { Source } from "../db/source-root.ts";
import { messageOf, ServiceUnreachable, WrongUse } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { holdHome } from "../services/home-lock.ts";
import { readRunFile, writeRunFile } from "../services/run-file.ts";
import { ensureSearchAttributes } from "../services/search-attributes.ts";
import type { Tools } from "../services/tools.ts";
import { createSinks } from "../sinks/registry.ts";
import { openStore } from "../snapshots/store.ts";
import { driveReplays } from "./drive-replays.ts";
import { every } from "./every.ts";
import { keepSnapshots } from "./keep-snapshots.ts";
import { captureTemporalLog } from "./log.ts";
import { moveWorkflows } from "./move-workflows.ts";
import { requestScan } from "./request-scan.ts";
import { rescueJobs } from "./rescue.ts";
import { followSchedules } from "./schedules.ts";
import { sendRunEvents } from "./send-run-events.ts";
import { startServices, type Services } from "./services.ts";
import { sweepStaging } from "./sweep-staging.ts";
import { watchSources } from "./watch-sources.ts";
import { startWorker } from "./worker.ts";

export interface SystemOptions {
  readonly settings: Settings;
  readonly log: Log;
  /** The verb that starts it, for `status` and for whoever finds the folder taken. */
  readonly command: string;
  /**
   * Which sources it watches and has scanned by itself: those for any worker and for its own groups, those for its own groups, or none.
   * Work is always done.
   */
  readonly scout: "all" | "groups" | "none";
  readonly onProgress: (text: string) => void;
}

/** A whole system on this machine: services, worker, and the scout's watching. */
export interface System {
  readonly db: Database;
  readonly client: Client;
  readonly tools: Tools;
  readonly urls: {
    readonly database: string;
    readonly databaseReader: string;
    readonly temporal: string;
    readonly temporalNamespace: string;
    readonly temporalUi: string | null;
  };
  /** Resolves with the reason when a part that the system can't do without ends by itself. */
  readonly died: Promise<string>;
  stop(): Promise<void>;
}

/** How often what was recorded and not dispatched is looked for, beside the dispatch that each scan does. Milliseconds. */
const dispatchIntervalMs = 5_000;
const rescueIntervalMs = 30_000;
const moveIntervalMs = 30_000;
const sweepIntervalMs = 60_000;
/** How long a system that is just ending is waited for, and a short command, which on a busy machine takes its time. Milliseconds. */
const endingMs = 3_000;
const shortCommandMs = 30_000;

/**
 * Starts everything in this folder, in the order in which parts need each other; `stop` (and a failing start) takes it down in reverse.
 * Throws WrongUse that says who runs when the folder is taken.
 *
 * Nothing here must be shut down in order to be safe: after `kill -9` of everything the next start finds orphaned servers and ends
 * them, the lock is the operating system's, and unfinished work is in the record and in Temporal's history.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const lock = await holdHome(options.settings.stateDir, {
    command: `casparian ${options.command}`,
    waitMs: endingMs,
    briefWaitMs: shortCommandMs,
  });
  stack.defer(() => lock.release());
  const { services, system } = await assemble(options, stack);
  const runFile = await writeRunFile(options.settings.stateDir, {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    command: options.command,
    database: services.database,
    temporal: services.temporal,
  });
  stack.defer(() => runFile.remove());
  const running = stack.move();
  return { ...system, stop: () => running.disposeAsync() };
}

/** Adds a worker to a system that runs already: the one of this folder, or the external one that the settings name. */
export async function joinSystem(options: Omit<SystemOptions, "scout" | "command">): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const settings = await settingsOfRunning(options.settings);
  const { system } = await assemble({ ...options, settings, command: "worker", scout: "groups" }, stack);
  const running = stack.move();
  return { ...system, stop: () => running.disposeAsync() };
}

/** The settings with each embedded service replaced by the one that runs in this folder. */
async function settingsOfRunning(settings: Settings): Promise<Settings> {
  const { database, temporal } = settings;
  if (database.kind === "external" && temporal.kind === "external") return settings;
  const running = await readRunFile(settings.stateDir);
  if (running === null) {
    throw new WrongUse(
      "no system runs in this folder that a worker could join",
      "Start one with casparian start, or name it: casparian worker --connect host:7233 --database postgres://…",
    );
  }
  return {
    ...settings,
    database: database.kind === "external" ? database : { kind: "external", url: running.database.url },
    temporal: temporal.kind === "external" ? temporal : { kind: "external", ...running.temporal, connection: {} },
  };
}

async function assemble(
  options: SystemOptions,
  stack: AsyncDisposableStack,
): Promise<{ readonly services: Services; readonly system: Omit<System, "stop"> }> {
  const { settings, log, command } = options;
  const { promise: died, resolve: onDeath } = Promise.withResolvers<string>();
  captureTemporalLog(log);
  const services = await startServices({ ...options, onDeath }, stack);
  const sending = await sendRunEvents({ db: services.db, settings, log, owner: command !== "worker" });
  // Before the worker is started, because it ends after it.
  stack.defer(() => sending.stop());
  const { connection, client } = await connect(settings, services, stack);
  const { ended } = await startParts(options, services, connection, client, stack);
  ended.then(
    () => onDeath("the worker ended"),
    (error: unknown) => onDeath(`the worker ended: ${messageOf(error)}`),
  );
  const urls = {
    database: services.database.url,
    databaseReader: services.database.readerUrl,
    temporal: services.temporal.address,
    temporalNamespace: services.temporal.namespace,
    temporalUi: services.temporal.uiUrl,
  };
  return { services, system: { db: services.db, client, tools: services.tools, urls, died } };
}

async function startParts(
  { settings, log, scout }: SystemOptions,
  services: Services,
  connection: NativeConnection,
  client: Client,
  stack: AsyncDisposableStack,
): Promise<{ readonly ended: Promise<void> }> {
  const { db } = services;
  const sinks = createSinks({ baseDir: settings.home, connections: openConnections(settings.connections) });
  stack.defer(() => sinks.close());
  const sweep = () => sweepStaging({ db, sinks, home: settings.home, log });
  const store = await openStore(settings.stateDir);
  const { groups } = settings.worker;
  const dispatcher = createDispatcher({ db, client, log, groups });
  const worker = await startWorker({ settings, services, connection, client, sinks, store, dispatch: dispatcher.dispatch, log }, stack);
  const dispatching = every(dispatchIntervalMs, "dispatching", log, () => dispatcher.dispatch());
  stack.defer(() => dispatching.stop());
  const replaying = every(dispatchIntervalMs, "driving replays", log, () => driveReplays(db, client));
  stack.defer(() => replaying.stop());
  const rescuing = every(rescueIntervalMs, "looking after quiet jobs", log, () => rescueJobs(db, client, log));
  stack.defer(() => rescuing.stop());
  const moving = every(moveIntervalMs, "moving work to its workers", log, () =>
    moveWorkflows({ db, client, log, requestScan: (source) => requestScan(client, source, "everything") }),
  );
  stack.defer(() => moving.stop());
  const sweeping = every(sweepIntervalMs, "removing what killed attempts left", log, sweep);
  stack.defer(() => sweeping.stop());
  const keeping = keepSnapshots({ db, store, log });
  stack.defer(() => keeping.stop());
  if (scout === "all" || (scout === "groups" && groups.length > 0)) {
    const isOurs = ({ workerGroup }: Source) => (workerGroup === null ? scout === "all" : groups.includes(workerGroup));
    const scheduling = followSchedules({ db, client, log });
    stack.defer(() => scheduling.stop());
    const watching = watchSources({ db, log, isOurs, requestScan: (source, wish) => requestScan(client, source, wish) });
    stack.defer(() => watching.stop());
  }
  return worker;
}

/** One connection for worker and client: eager starts need the worker's own. */
async function connect(
  settings: Settings,
  { temporal }: Services,
  stack: AsyncDisposableStack,
): Promise<{ readonly connection: NativeConnection; readonly client: Client }> {
  const options = settings.temporal.kind === "external" ? settings.temporal.connection : {};
  const connection = await NativeConnection.connect({ ...options, address: temporal.address }).catch((error: unknown) => {
    throw new ServiceUnreachable({
      message: `Temporal at ${temporal.address} does not answer: ${messageOf(error)}`,
      hint: "Check [temporal] address in casparian.toml, TEMPORAL_ADDRESS, and that the server runs",
      cause: error,
    });
  });
  stack.defer(() => connection.close());
  await ensureSearchAttributes(connection, temporal.namespace);
  return { connection, client: new Client({ connection, namespace: temporal.namespace }) };
}
