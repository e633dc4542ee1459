import { resolve } from "node:path";
import { runHosted } from "./hosted-command.ts";

/** What `node` runs as `casparian`. */
export const program = resolve(import.meta.dirname, "../../bin/casparian.js");

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Beside this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** What stdin has; nothing unless it is given. */
  readonly input?: string;
}

/**
 * Runs `casparian` to its end; never throws for an exit code. Not for commands that run a worker, which need a process of their own, and not for
 * what only a real process shows: signals, pipes.
 */
export async function runCommand(
  args: readonly string[],
  { cwd = process.cwd(), env, input }: CommandOptions = {},
): Promise<CommandResult> {
  const { exitCode, stdout, stderr } = await runHosted({ args, cwd, env: { ...process.env, ...env }, input });
  return { exitCode, stdout: stdout.replace(/\n$/, ""), stderr: stderr.replace(/\n$/, "") };
}

export interface RecordCommand {
  (...args: readonly string[]): Promise<CommandResult>;
  /** Runs a command that must succeed and returns its document. */
  json<T = never>(...args: readonly string[]): Promise<T>;
}

/** `casparian` in this home and with this external record, where Temporal is embedded and does not run. */
export function commandOn(home: string, databaseUrl: string): RecordCommand {
  const run = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(["--home", home, "--database", databaseUrl, "--temporal", "embedded", ...args], { cwd: home });
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const result = await run(...args, "--json");
    if (result.exitCode !== 0) throw new Error(`casparian ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  };
  return Object.assign(run, { json });
}

/** The one JSON line that a command with `--json` ends its stderr with when it fails. */
export function failureOf({ stderr }: CommandResult): { readonly code: string; readonly message: string; readonly hint: string | null } {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return (JSON.parse(last) as { error: { code: string; message: string; hint: string | null } }).error;
}
