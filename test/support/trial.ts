import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { environmentRoot } from "./environment-root.ts";
import { runCommand, type CommandResult } from "./command.ts";

/** What `plugin test --json` says, as far as tests ask. */
export interface Trial {
  readonly environment: { readonly built: boolean };
  readonly warnings: readonly string[];
  readonly files: readonly TriedFile[];
  readonly filesLeft: number;
  readonly filesNotTaken: number;
  readonly failed: number;
}

export interface TriedFile {
  readonly path: string;
  readonly failure: { code: string; message: string; hint: string | null; traceback: string | null; line: number | null } | null;
  readonly outputs: readonly {
    output: string;
    columns: readonly { name: string; type: string; nulls: number }[];
    rows: number;
    first: readonly (readonly (string | null)[])[];
    changes: readonly string[] | null;
  }[];
  readonly setAside: readonly {
    output: string;
    rows: number;
    reasons: readonly { column: string | null; reason: string; rows: number }[];
    first: readonly { rowNumber: number; filePosition: string | null; raw: string }[];
  }[];
  readonly logs: readonly { stream: string; text: string }[];
  readonly timing: { total: number; plugin: number | null; transport: number | null; process: number | null } | null;
}

/** A folder to work in, in which environments that tests have built are there already. */
export interface TrialFolder {
  readonly path: string;
  /** Writes a file and returns its path. */
  write(path: string, content: string | Uint8Array): string;
  run(...args: readonly string[]): Promise<CommandResult>;
  /** The document of a command, whatever its exit code. */
  json<T = Trial>(...args: readonly string[]): Promise<T>;
}

export function trialFolder(): TrialFolder {
  const path = mkdtempSync(join(tmpdir(), "casparian-trial-test-"));
  mkdirSync(join(path, ".casparian"));
  symlinkSync(environmentRoot, join(path, ".casparian/environments"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  const run = (...args: readonly string[]): Promise<CommandResult> => runCommand(args, { cwd: path });
  return {
    path,
    write(name, content) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
    run,
    async json<T>(...args: readonly string[]) {
      const { stdout, stderr } = await run(...args, "--json");
      if (stdout === "") throw new Error(`casparian ${args.join(" ")} printed nothing: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
  };
}
