import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const script = join(import.meta.dirname, "python", "capabilities.py");

/** What this machine's kernel gives to keep a plugin in, found out by doing. */
export interface SandboxCapabilities {
  readonly userNamespace: boolean;
  readonly pidNamespace: boolean;
  readonly networkNamespace: boolean;
  /** The ABI version; 0 where there is none. */
  readonly landlock: number;
  readonly seccomp: boolean;
  /** What is missing; empty where all is there. */
  readonly lacking: readonly SandboxLack[];
}

export interface SandboxLack {
  /** What is missing and what follows from it. */
  readonly message: string;
  /** What an operator can do. */
  readonly remedy: string;
}

/** Tries the walls in a process of its own. Throws what starting Python throws. */
export async function sandboxCapabilities({ python }: { readonly python: string }): Promise<SandboxCapabilities> {
  const { stdout } = await run(python, ["-I", "-S", script], { timeout: 20_000 });
  return JSON.parse(stdout) as SandboxCapabilities;
}
