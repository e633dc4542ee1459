import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { startOf, stopOrphan } from "./orphan.ts";
import { choosePort } from "./port.ts";
import { startProcess, type Exit, type ServiceProcess, type StopStep } from "./process.ts";
import { cliNames, keywordAttributes } from "./search-attributes.ts";
import { isReady } from "./temporal-ready.ts";
import { readTrace, writeTrace } from "./trace.ts";

/**
 * Temporal's development server for one state folder, with its Web UI: a SQLite file in `<stateDir>/temporal`, listening on
 * 127.0.0.1 only, log in `<stateDir>/logs/temporal.log`. It runs in a process group of its own and outlives a killed program;
 * the next start finds and stops what is left. Whoever starts it holds the home's lock.
 */
export interface Temporal {
  /** `host:port` of the frontend. */
  readonly address: string;
  readonly namespace: string;
  /** Of the Web UI. */
  readonly uiUrl: string;
  readonly pid: number;
  /** Resolves when the server is gone, asked for or not. */
  readonly exited: Promise<Exit>;
  /** May be called again. */
  stop(): Promise<void>;
}

export interface TemporalOptions {
  readonly stateDir: string;
  /** The `temporal` program. */
  readonly binary: string;
  /** This port or none; otherwise that of the last time, or a free one. */
  readonly port?: number | undefined;
  readonly uiPort?: number | undefined;
  readonly log: Log;
}

/** What it has acknowledged is in its database file, so ending it hard loses nothing. */
const stopping: readonly StopStep[] = [
  { signal: "SIGTERM", waitMs: 5000 },
  { signal: "SIGKILL", waitMs: 2000 },
];

const readyMsMax = 60_000;
const namespace = "default";

/** Starts the server; resolves when the namespace answers and has our search attributes. Throws TerminalFailure TEMPORAL_NOT_STARTED with its own last words. */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { stateDir, log } = options;
  const traceFile = traceFileOf(stateDir);
  mkdirSync(join(stateDir, "temporal"), { recursive: true });
  await stopLeftoverTemporal(stateDir, log);

  const deadline = Date.now() + 15_000;
  for (;;) {
    const last = await readTrace(traceFile);
    const port = await choosePort({ service: "Temporal", setting: "[temporal] port", asked: options.port, last: last?.ports["frontend"] });
    const uiPort = await choosePort({
      service: "Temporal's Web UI",
      setting: "[temporal] ui_port",
      asked: options.uiPort,
      last: last?.ports["ui"],
    });
    const server = await spawnServer(options, port, uiPort);
    writeTrace(traceFile, { pid: server.pid, start: startOf(server.pid) ?? "", ports: { frontend: port, ui: uiPort } });
    const address = `127.0.0.1:${port}`;
    if (await waitUntilReady(server, address)) {
      return { address, namespace, uiUrl: `http://127.0.0.1:${uiPort}`, pid: server.pid, exited: server.exited, stop: () => server.stop() };
    }
    await server.stop();
    const words = await server.logTail();
    // Another program may have taken a port between the look and the start.
    if (!/address already in use/.test(words) || Date.now() > deadline) throw notStarted(words, join(stateDir, "logs", "temporal.log"));
    log.debug("Temporal could not start yet", { words });
  }
}

/** Stops a server that a killed program left behind. */
export async function stopLeftoverTemporal(stateDir: string, log: Log): Promise<void> {
  const trace = await readTrace(traceFileOf(stateDir));
  if (trace === undefined || startOf(trace.pid) !== trace.start) return;
  log.warn("stopping the Temporal server that an earlier run left behind", { pid: trace.pid });
  await stopOrphan(trace.pid, stopping);
}

function traceFileOf(stateDir: string): string {
  return join(stateDir, "temporal", "pid.json");
}

function spawnServer({ stateDir, binary }: TemporalOptions, port: number, uiPort: number): Promise<ServiceProcess> {
  const flags = {
    // Relative, because the server makes a URL of it, in which a home's path may mean something else.
    "--db-filename": ["temporal.db"],
    // Without WAL 6 workflows/s, with it 84.
    "--sqlite-pragma": ["journal_mode=WAL", "synchronous=NORMAL"],
    "--ip": ["127.0.0.1"],
    "--port": [String(port)],
    "--ui-port": [String(uiPort)],
    // Its default of 20 makes an eagerly started workflow wait 50 ms for its tasks, 300 makes that 15; 1000 costs throughput.
    "--dynamic-config-value": ["history.transferProcessorMaxPollRPS=300", "frontend.enableServerVersionCheck=false"],
    // Here they are usable from the first moment; added later, the server takes a while to see them.
    "--search-attribute": Object.entries(keywordAttributes).map(([name, type]) => `${name}=${cliNames[type]}`),
    "--log-level": ["warn"],
  };
  return startProcess({
    name: "Temporal",
    command: binary,
    args: [
      "server",
      "start-dev",
      "--ui-disable-news-fetch",
      ...Object.entries(flags).flatMap(([flag, values]) => values.flatMap((value) => [flag, value])),
    ],
    env: ownEnvironment(),
    cwd: join(stateDir, "temporal"),
    logFile: join(stateDir, "logs", "temporal.log"),
    stopping,
  });
}

/** Settings for Temporal's clients in the user's environment are about another server. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign = Object.entries(process.env).filter(([name]) => !name.startsWith("TEMPORAL_"));
  return { ...Object.fromEntries(foreign), TEMPORAL_VERSION_CHECK_DISABLED: "1" };
}

async function waitUntilReady(server: ServiceProcess, address: string): Promise<boolean> {
  const deadline = Date.now() + readyMsMax;
  while (!server.hasExited() && Date.now() < deadline) {
    if (await isReady(address, namespace)) return true;
    await setTimeout(20);
  }
  return false;
}

function notStarted(words: string, logFile: string): TerminalFailure {
  return new TerminalFailure({
    code: "TEMPORAL_NOT_STARTED",
    message: `Temporal did not start: ${words.split("\n").at(-1) || "it said nothing"}`,
    hint: `Its log is ${logFile}`,
    data: { words },
  });
}
