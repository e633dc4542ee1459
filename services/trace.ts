import { writeFileSync, renameSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { z } from "zod";

/** What a start of a service leaves for the next one: which process it was, and its ports. */
export interface Trace {
  readonly pid: number;
  /** As `startOf` tells it, so that another process with the same pid isn't taken for it. */
  readonly start: string;
  readonly ports: Readonly<Record<string, number>>;
}

const shape = z.object({ pid: z.int(), start: z.string().min(1), ports: z.record(z.string(), z.int()) });

/** Undefined when there is none, or none that can be understood. */
export async function readTrace(file: string): Promise<Trace | undefined> {
  try {
    return shape.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** At once and whole: between the start of a process and this there must be no moment in which we could be killed for long. */
export function writeTrace(file: string, trace: Trace): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(trace)}\n`);
  renameSync(`${file}.new`, file);
}
