import { setTimeout } from "node:timers/promises";
import type { Client, ConnectionOptions } from "@temporalio/client";
import { localActor, type ControlContext } from "../control/context.ts";
import { asServiceTrouble, openRecord } from "../control/open-record.ts";
import type { Settings } from "../config/settings.ts";
import { messageOf, ServiceUnreachable, WrongUse } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { holdHome } from "../services/home-lock.ts";
import { startPostgres } from "../services/postgres.ts";
import { readRunFile, type RunFile } from "../services/run-file.ts";
import type { Shell } from "./shell.ts";

/** A command's access to the record and, where it asks for it, to Temporal. */
export interface Session extends ControlContext {
  readonly urls: {
    readonly database: string;
    /** As somebody who can only read; the same as `database` where that is not ours to make. */
    readonly databaseReader: string;
  };
  /** Where Temporal is; null in embedded mode while nothing runs. */
  readonly temporalPlace: TemporalPlace | null;
  /** Who runs the embedded system of this home. */
  readonly running: RunFile | null;
}

export interface TemporalPlace {
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string | null;
}

export interface SessionNeeds {
  /** `if-running`: a client where Temporal answers, and null elsewhere. Not connected to unless asked for. */
  readonly temporal?: "if-running" | "required";
}

/**
 * Does a command's work with the record open, and closes everything afterwards, also after Ctrl-C.
 *
 * The embedded record is that of the system that runs in this home; where none runs, its PostgreSQL is started for the duration of the
 * command, under the home's lock. Throws ServiceUnreachable, WrongUse where another program holds the home, and what `work` throws.
 */
export async function withSession<T>(shell: Shell, needs: SessionNeeds, work: (session: Session) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const settings = shell.settings();
  const session = await openSession(
    { settings, needs, log: shell.log, signal: shell.signal, onProgress: (text) => shell.terminal.live && shell.terminal.progress(text) },
    stack,
  );
  shell.terminal.clearProgress();
  try {
    return await Promise.race([work(session), rejectOnAbort(shell.signal)]);
  } catch (error) {
    throw asServiceTrouble(error);
  }
}

interface Opening {
  readonly settings: Settings;
  readonly needs: SessionNeeds;
  readonly log: Log;
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Whatever is opened or started is ended by `stack`. */
async function openSession(opening: Opening, stack: AsyncDisposableStack): Promise<Session> {
  const { settings, needs, log, signal } = opening;
  const isEmbedded = settings.database.kind === "embedded" || settings.temporal.kind === "embedded";
  let running = isEmbedded ? await readRunFile(settings.stateDir) : null;
  let urls: Session["urls"];
  if (settings.database.kind === "external") {
    urls = { database: settings.database.url, databaseReader: settings.database.url };
  } else {
    const found = running === null ? await startOrFind(opening, settings.database.port, stack) : { running, urls: urlsOf(running) };
    ({ urls } = found);
    running = found.running;
  }
  const db = await openRecord(urls.database, log);
  stack.defer(() => db.end());
  const temporalPlace = placeOf(settings, running);
  const temporal = needs.temporal === undefined ? null : await connectTemporal(settings, temporalPlace, needs.temporal, log, stack);
  const signIn = signInOf(settings, signal);
  return { db, actor: localActor(), signIn, temporal, urls, temporalPlace, running };
}

/** Loaded only where it is asked for. */
function signInOf({ plugins: { signIn: policy } }: Settings, signal: AbortSignal): Session["signIn"] {
  if (policy === null) return undefined;
  return async () => {
    const [{ signedIn }, { tokenFile }] = await Promise.all([
      import("../services/sign-in/sign-in.ts"),
      import("../services/sign-in/token-file.ts"),
    ]);
    return signedIn({ policy, file: tokenFile(policy, process.env), signal });
  };
}

function urlsOf({ database }: RunFile): Session["urls"] {
  return { database: database.url, databaseReader: database.readerUrl };
}

/** How long another command's own database, or a system that is just starting, is waited for. Milliseconds. */
const waitMsMax = 15_000;

async function startOrFind(
  { settings, log, onProgress }: Opening,
  port: number | undefined,
  stack: AsyncDisposableStack,
): Promise<{ readonly running: RunFile | null; readonly urls: Session["urls"] }> {
  const deadline = Date.now() + waitMsMax;
  for (;;) {
    const running = await readRunFile(settings.stateDir);
    if (running !== null) return { running, urls: urlsOf(running) };
    try {
      const lock = await holdHome(settings.stateDir, { command: commandLine(), brief: true, waitMs: 300 });
      stack.defer(() => lock.release());
      break;
    } catch (error) {
      // Whoever has the home is about to end, or about to say where its services are.
      if (!(error instanceof WrongUse) || Date.now() > deadline) throw error;
      onProgress("Waiting for another command in this folder");
      await setTimeout(50);
    }
  }
  onProgress("Opening the record");
  const postgres = await startPostgres({ stateDir: settings.stateDir, port, log });
  stack.defer(() => postgres.stop());
  return { running: null, urls: { database: postgres.url, databaseReader: postgres.readerUrl } };
}

/** What a person typed, for whoever finds the home taken; nothing secret is in the verb. */
function commandLine(): string {
  return `casparian ${process.argv.slice(2).find((argument) => /^[a-z]+$/.test(argument)) ?? ""}`.trim();
}

function placeOf(settings: Settings, running: RunFile | null): TemporalPlace | null {
  if (settings.temporal.kind === "embedded") return running?.temporal ?? null;
  const { address, namespace, uiUrl } = settings.temporal;
  return { address, namespace, uiUrl: uiUrl ?? null };
}

async function connectTemporal(
  settings: Settings,
  place: TemporalPlace | null,
  need: "if-running" | "required",
  log: Log,
  stack: AsyncDisposableStack,
): Promise<Client | null> {
  if (place === null) {
    if (need === "if-running") return null;
    throw new ServiceUnreachable({ message: "Temporal is not running in this folder", hint: "Start the system: casparian start" });
  }
  const options = settings.temporal.kind === "external" ? settings.temporal.connection : {};
  try {
    return await connect({ ...options, address: place.address, connectTimeout: "10s" }, place.namespace, stack);
  } catch (error) {
    const unreachable = new ServiceUnreachable({
      message: `Temporal at ${safeUrl(place.address)} does not answer: ${messageOf(error)}`,
      hint: "Check [temporal] address in casparian.toml, TEMPORAL_ADDRESS, and that the server runs",
      cause: error,
    });
    if (need === "required") throw unreachable;
    log.warn(unreachable.message);
    return null;
  }
}

async function connect(options: ConnectionOptions, namespace: string, stack: AsyncDisposableStack): Promise<Client> {
  // Loading the client takes longer than most commands, so only those that need it do.
  const temporal = await import("@temporalio/client");
  const connection = await temporal.Connection.connect(options);
  stack.defer(() => connection.close());
  return new temporal.Client({ connection, namespace });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
