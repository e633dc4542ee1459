import { mkdirSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { findIdentity, type Identity } from "./identity.ts";
import { commandOf, startOf, stopOrphan } from "./orphan.ts";
import { choosePort } from "./port.ts";
import { findPostgres } from "./postgres-binaries.ts";
import { ensureCluster } from "./postgres-cluster.ts";
import { startProcess, type Exit, type ServiceProcess, type StopStep } from "./process.ts";
import { readSecrets, type Secrets } from "./secrets.ts";

/**
 * A real PostgreSQL server for one state folder: data in `<stateDir>/postgres`, listening on 127.0.0.1 only, log in
 * `<stateDir>/logs/postgres.log`. It runs in a process group of its own and outlives a killed program; the next start finds
 * and stops what is left. Whoever starts it holds the home's lock, so there is at most one start at a time.
 */
export interface Postgres {
  /** As the superuser `casparian`. */
  readonly url: string;
  /** As `casparian_auditor`, who can read the record and change nothing. */
  readonly readerUrl: string;
  readonly pid: number;
  /** Resolves when the server is gone, asked for or not. */
  readonly exited: Promise<Exit>;
  /** Rolls back what is under way and shuts down; may be called again. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  readonly stateDir: string;
  /** This port or none; otherwise that of the last time, or a free one. */
  readonly port?: number | undefined;
  readonly log: Log;
  /** For tests of the ways to run as root. */
  readonly userNamespaces?: boolean;
}

/** Fast shutdown, immediate shutdown (its next start recovers from the log), and the end. */
const stopping: readonly StopStep[] = [
  { signal: "SIGINT", waitMs: 8000 },
  { signal: "SIGQUIT", waitMs: 4000 },
  { signal: "SIGKILL", waitMs: 2000 },
];

/** Recovery after a crash replays at most max_wal_size, which takes seconds; a slow disk may need more. */
const readyMsMax = 120_000;

const settings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  // No socket files: their paths are limited to 107 bytes, and a home may lie deeper.
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "128MB",
  max_wal_size: "1GB",
  min_wal_size: "80MB",
  fsync: "on",
  synchronous_commit: "on",
  // Compiling a query costs more than the record's queries take.
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  log_line_prefix: "%m [%p] %a ",
  log_checkpoints: "off",
};

/** Starts the server, making its database first if there is none; resolves when it takes queries. Throws TerminalFailure POSTGRES_NOT_STARTED with its own last words. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { stateDir, log } = options;
  const dataDir = join(stateDir, "postgres");
  mkdirSync(stateDir, { recursive: true });
  const identity = await findIdentity(dataDir, { userNamespaces: options.userNamespaces ?? true });
  const [binaries, { secrets, fresh }] = await Promise.all([findPostgres(), readSecrets(stateDir)]);
  await stopLeftoverPostgres(stateDir, log);
  await ensureCluster({ dataDir, binaries, identity, secrets, secretsFresh: fresh, log });

  const portFile = join(stateDir, "postgres-port");
  const deadline = Date.now() + 15_000;
  for (;;) {
    const last = Number(await readFile(portFile, "utf8").catch(() => "")) || undefined;
    const port = await choosePort({ service: "the database", setting: "[database] port", asked: options.port, last });
    const server = await spawnServer(binaries.postgres, { dataDir, port, stateDir, identity });
    const ready = await waitUntilReady(server, dataDir);
    if (ready) {
      await writeFile(portFile, `${port}\n`);
      return { ...addresses(port, secrets), pid: server.pid, exited: server.exited, stop: () => server.stop() };
    }
    await server.stop();
    const words = await server.logTail();
    if (!mayPass(words) || Date.now() > deadline) throw notStarted(words, join(stateDir, "logs", "postgres.log"));
    log.debug("the database could not start yet", { words });
    await stopLeftoverPostgres(stateDir, log);
    await setTimeout(200);
  }
}

/**
 * Stops a server that a killed program left behind, and removes a pid file whose pid now belongs to somebody else, which the
 * server itself would take for a running one. A pid file of a dead process is left: PostgreSQL uses it to look for backends still alive.
 */
export async function stopLeftoverPostgres(stateDir: string, log: Log): Promise<void> {
  const dataDir = join(stateDir, "postgres");
  const file = join(dataDir, "postmaster.pid");
  const pid = Number(readLines(file)[0]);
  if (startOf(pid) === undefined) return;
  const command = commandOf(pid) ?? "";
  if (command.includes("postgres") && command.includes(dataDir)) {
    log.warn("stopping the database that an earlier run left behind", { pid });
    await stopOrphan(pid, stopping);
  } else {
    await rm(file, { force: true });
  }
}

function spawnServer(
  postgres: string,
  { dataDir, port, stateDir, identity }: { dataDir: string; port: number; stateDir: string; identity: Identity },
): Promise<ServiceProcess> {
  const configured = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const { command, args } = identity.wrap(postgres, ["-D", dataDir, "-p", String(port), ...configured]);
  return startProcess({
    name: "PostgreSQL",
    command,
    args,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    logFile: join(stateDir, "logs", "postgres.log"),
    stopping,
    uid: identity.uid,
    gid: identity.gid,
  });
}

/** The server writes its state into the eighth line of its pid file; pg_ctl waits for the same. */
async function waitUntilReady(server: ServiceProcess, dataDir: string): Promise<boolean> {
  const deadline = Date.now() + readyMsMax;
  while (!server.hasExited() && Date.now() < deadline) {
    const lines = readLines(join(dataDir, "postmaster.pid"));
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === "ready") return true;
    await setTimeout(10);
  }
  return false;
}

/** Another program took the port meanwhile, or an orphan was just starting, or its last backends are still ending. */
function mayPass(words: string): boolean {
  return /could not create any TCP\/IP sockets|lock file "postmaster.pid" already exists|pre-existing shared memory block/.test(words);
}

function addresses(port: number, secrets: Secrets): { url: string; readerUrl: string } {
  const at = `127.0.0.1:${port}/casparian`;
  return { url: `postgres://casparian:${secrets.database}@${at}`, readerUrl: `postgres://casparian_auditor:${secrets.auditor}@${at}` };
}

function notStarted(words: string, logFile: string): TerminalFailure {
  return new TerminalFailure({
    code: "POSTGRES_NOT_STARTED",
    message: `the database did not start: ${/FATAL: +(.*)/.exec(words)?.[1] ?? (words.split("\n").at(-1) || "it said nothing")}`,
    hint: `Its log is ${logFile}`,
    data: { words },
  });
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
