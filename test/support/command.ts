import { resolve } from "node:path";
import { execa, type Options } from "execa";

/** What `node` runs as `casparian`. */
export const program = resolve(import.meta.dirname, "../../bin/casparian.js");

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `casparian` as a real process to its end; never throws for an exit code. */
export async function runCommand(args: readonly string[], options: Options = {}): Promise<CommandResult> {
  const result = await execa(process.execPath, [program, ...args], { ...options, reject: false });
  return { exitCode: result.exitCode ?? -1, stdout: String(result.stdout), stderr: String(result.stderr) };
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
