import { fork, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import type { CommandResult } from "./command.ts";

/** One command line, with all that a process of its own would have. */
export interface CommandOrder {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** All that can be read from stdin. */
  readonly input: string | undefined;
}

export interface CommandOutcome extends CommandResult {
  /** What would have kept a process of its own from ending. */
  readonly left: readonly string[];
}

const idle: ChildProcess[] = [];

/**
 * Runs a command in a process that has run others of this test file before, because most of a short command's time is the start of its
 * process. Commands at the same time run in processes of their own. They end with the test file's process.
 */
export async function runHosted(order: CommandOrder): Promise<CommandResult> {
  const host = idle.pop() ?? startHost();
  const outcome = Promise.withResolvers<CommandOutcome>();
  const onExit = (code: number | null, signal: string | null): void =>
    outcome.reject(new Error(`casparian ${order.args.join(" ")} took its process along: ${signal ?? `status ${code}`}`));
  host.once("exit", onExit).once("message", outcome.resolve);
  host.ref();
  host.channel!.ref();
  try {
    host.send(order);
    const { left, exitCode, stdout, stderr } = await outcome.promise;
    if (left.length > 0)
      throw new Error(`casparian ${order.args.join(" ")} would not have ended, because of ${left.join(", ")}: ${stderr}`);
    return { exitCode, stdout, stderr };
  } finally {
    host.off("exit", onExit).off("message", outcome.resolve);
    host.unref();
    host.channel?.unref();
    if (host.connected) idle.push(host);
  }
}

function startHost(): ChildProcess {
  return fork(resolve(import.meta.dirname, "command-host.ts"), [], {
    cwd: "/",
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}
