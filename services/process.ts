import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { TerminalFailure } from "../domain/failure.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running service process that is ours to stop. */
export interface ServiceProcess {
  readonly pid: number;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<Exit>;
  hasExited(): boolean;
  /** Sends each signal in turn until the process is gone, waiting the given time after each; resolves at once when it is gone already. */
  stop(): Promise<void>;
  /** What it has written to its log since it was started, the end of it. */
  logTail(): Promise<string>;
}

export interface ServiceCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
  readonly logFile: string;
  /** How it is asked to end, the gentlest first; the last one must be SIGKILL. */
  readonly stopping: readonly StopStep[];
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

const logBytesMax = 10 * 1024 * 1024;
const logTailBytes = 4096;

/**
 * Starts a service in a process group of its own, so that Ctrl-C in the terminal reaches us and not it, with its output in a log file.
 * It doesn't keep this program alive; when this program exits without having stopped it, it gets the first signal of `stopping`.
 */
export async function startProcess(service: ServiceCommand): Promise<ServiceProcess> {
  const log = openLog(service.logFile);
  const child = spawn(service.command, service.args, {
    env: service.env,
    cwd: service.cwd,
    stdio: ["ignore", log.descriptor, log.descriptor],
    detached: true,
    ...(service.uid === undefined ? {} : { uid: service.uid, gid: service.gid }),
  });
  closeSync(log.descriptor);
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      process.off("exit", onOwnExit);
      exit = { code, signal };
      resolve(exit);
    });
  });
  const onOwnExit = (): void => void child.kill(service.stopping[0]?.signal);
  process.once("exit", onOwnExit);
  await spawned(child, service.name);
  child.unref();

  return {
    pid: child.pid ?? 0,
    exited,
    hasExited: () => exit !== undefined,
    stop: async () => {
      child.ref();
      for (const { signal, waitMs } of service.stopping) {
        if (exit !== undefined) return;
        child.kill(signal);
        await Promise.race([exited, delay(waitMs)]);
      }
    },
    logTail: () => readTail(service.logFile, log.start),
  };
}

function spawned(child: ReturnType<typeof spawn>, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => {
      reject(new TerminalFailure({ code: "SERVICE_NOT_STARTED", message: `${name} can't be started: ${cause.message}`, cause }));
    });
  });
}

/** A log that has grown large is kept as one older file. */
function openLog(file: string): { descriptor: number; start: number } {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) renameSync(file, `${file}.1`);
  return { descriptor: openSync(file, "a", 0o600), start: size > logBytesMax ? 0 : size };
}

async function readTail(file: string, start: number): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const from = Math.max(start, size - logTailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(0, size - from)), { position: from });
    return buffer.toString("utf8", 0, bytesRead).trim();
  } finally {
    await handle.close();
  }
}

/** Resolves after the time, and keeps nothing alive that is otherwise done. */
function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
