import { join } from "node:path";
import { execa } from "execa";
import { duckdbPython } from "../../support/duckdb-python.ts";
import type { Target } from "./load.ts";

/** The rows of one version, from one job, that a target shows. */
export interface Result {
  readonly target: Target;
  readonly version: string;
  readonly job: string;
  /** Of the content that they came from, by their own words. */
  readonly hash: string;
  readonly rows: number;
  /** Of their ids. */
  readonly sum: number;
  /** What the plugin could get at; the least and the greatest of all rows. */
  readonly breachMin: string;
  readonly breachMax: string;
}

export interface Watched {
  readonly faults: readonly unknown[];
  /** How often each target was read and had rows. */
  readonly passes: Readonly<Partial<Record<Target, number>>>;
}

const script = join(import.meta.dirname, "read_targets.py");
const reader = async (mode: "watch" | "read", home: string) => {
  const python = await duckdbPython();
  return { process: execa(python, [script, mode, home]) };
};

/** What all targets show now. */
export async function readTargets(home: string): Promise<readonly Result[]> {
  const { process } = await reader("read", home);
  return JSON.parse((await process).stdout) as Result[];
}

/** Reads all targets over and over until it is ended. */
export async function watchTargets(home: string): Promise<{ readonly end: () => Promise<Watched> }> {
  const { process } = await reader("watch", home);
  // Its end is asked for later; it may have failed by then.
  process.catch(() => {});
  return {
    async end() {
      process.stdin.end();
      const lines = (await process).stdout.split("\n").map((line) => JSON.parse(line) as Partial<Watched>);
      return { faults: lines.filter(({ passes }) => passes === undefined), passes: lines.at(-1)?.passes ?? {} };
    },
  };
}
