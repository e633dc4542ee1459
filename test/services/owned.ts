import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Owned {
  readonly postgres: { readonly pid: number; readonly url: string };
  readonly temporal: { readonly pid: number; readonly address: string };
}

/** Runs `owner.ts` for a state folder. */
export function startOwner(stateDir: string, binary: string, manner?: "leave"): ChildProcess {
  const args = [join(import.meta.dirname, "owner.ts"), stateDir, binary, ...(manner === undefined ? [] : [manner])];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** What it owns, once it all runs. */
export async function ownedBy(owner: ChildProcess): Promise<Owned> {
  const [line] = (await once(createInterface(owner.stdout!), "line")) as [string];
  return JSON.parse(line) as Owned;
}

export async function killHard(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
