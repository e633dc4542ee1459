import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import type { Identity } from "./identity.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import type { Secrets } from "./secrets.ts";

export interface Cluster {
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly identity: Identity;
  readonly secrets: Secrets;
  /** The passwords are new, so an existing cluster has to be told. */
  readonly secretsFresh: boolean;
  readonly log: Log;
}

const major = "18";
const halfMade = ".half-made-";

/**
 * Makes the data folder if there is none: UTF-8, locale C, the superuser `casparian`, the database `casparian` and the auditors' user.
 * It is made beside its place and renamed, so a folder in place is always whole. No server of this folder may run.
 * Throws TerminalFailure DATABASE_FOLDER for a folder that isn't such a one, DATABASE_INIT when PostgreSQL can't make it.
 */
export async function ensureCluster(cluster: Cluster): Promise<void> {
  const { dataDir, identity } = cluster;
  await removeHalfMade(dataDir);
  const found = await readFile(join(dataDir, "PG_VERSION"), "utf8").catch(() => undefined);
  if (found === undefined) {
    await requireEmpty(dataDir);
    await makeCluster(cluster);
  } else if (found.trim() !== major) {
    throw new TerminalFailure({
      code: "DATABASE_FOLDER",
      message: `${dataDir} was made by PostgreSQL ${found.trim()}, and this program brings PostgreSQL ${major}`,
      hint: "Start it with the version of Casparian that made it and dump it, or use it as an external database",
    });
  } else {
    await identity.own(dataDir);
    if (cluster.secretsFresh) await singleUser(cluster, dataDir, passwords(cluster.secrets));
  }
}

async function makeCluster(cluster: Cluster): Promise<void> {
  const { dataDir, binaries, identity, log } = cluster;
  log.debug("making the database's folder", { path: dataDir });
  // A name of its own each time: an orphaned initdb of a killed program may still be working on the last one, and empties its folder when it fails.
  const half = await mkdtemp(`${dataDir}${halfMade}`);
  await identity.own(half);
  // `reject` until the passwords are set, so there is no moment without one.
  const settings = ["--encoding=UTF8", "--locale=C", "--username=casparian", "--auth=reject", "--no-instructions"];
  await runToEnd(cluster, binaries.initdb, ["--pgdata", half, ...settings]);
  await writeFile(join(half, "pg_hba.conf"), "# Only from this machine, only with a password.\nhost all all 127.0.0.1/32 scram-sha-256\n");
  await singleUser(cluster, half, [
    "create role casparian_reader nologin",
    "create role casparian_auditor login in role casparian_reader",
    "alter role casparian_auditor set default_transaction_read_only = on",
    ...passwords(cluster.secrets),
    "create database casparian",
  ]);
  await rename(half, dataDir);
}

function passwords(secrets: Secrets): readonly string[] {
  return [`alter role casparian password '${secrets.database}'`, `alter role casparian_auditor password '${secrets.auditor}'`];
}

/** Runs statements without a server, each on one line. */
async function singleUser(cluster: Cluster, folder: string, statements: readonly string[]): Promise<void> {
  const args = ["--single", "-D", folder, "-c", "exit_on_error=on", "-c", "log_min_messages=warning", "postgres"];
  await runToEnd(cluster, cluster.binaries.postgres, args, `${statements.join("\n")}\n`);
}

function runToEnd({ identity }: Cluster, program: string, args: readonly string[], input = ""): Promise<void> {
  const { command, args: wrapped } = identity.wrap(program, args);
  // With TZ it needn't compare the machine's time zone with all that it knows.
  const child = spawn(command, wrapped, {
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
    ...(identity.uid === undefined ? {} : { uid: identity.uid, gid: identity.gid }),
  });
  let output = "";
  const collect = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4096));
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  child.stdin.on("error", () => {}).end(input);
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => {
      const message = `${basename(program)} failed: ${cause?.message ?? output.trim()}`;
      reject(new TerminalFailure({ code: "DATABASE_INIT", message, hint: "Check the disk's space and the folder's permissions", cause }));
    };
    child.once("error", fail);
    child.once("close", (code) => (code === 0 ? resolve() : fail()));
  });
}

/** What is left when a program was killed while it made the folder. */
async function removeHalfMade(dataDir: string): Promise<void> {
  const folder = dirname(dataDir);
  await mkdir(folder, { recursive: true });
  const left = (await readdir(folder)).filter((name) => name.startsWith(`${basename(dataDir)}${halfMade}`));
  // One that is still being filled stays for the next time.
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true }).catch(() => {})));
}

async function requireEmpty(dataDir: string): Promise<void> {
  const entries = await readdir(dataDir).catch(() => []);
  if (entries.length === 0) return;
  throw new TerminalFailure({
    code: "DATABASE_FOLDER",
    message: `${dataDir} holds something that isn't a PostgreSQL database`,
    hint: "Move it away; the database is made anew at the next start",
  });
}
