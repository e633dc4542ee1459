import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { WrongUse } from "../../domain/failure.ts";
import { isRunnerKey } from "./keys.ts";

/** Names by public key. Several keys may have one name: any of these runners takes that name's jobs. */
export type TrustedRunners = ReadonlyMap<string, string>;

/**
 * Reads lines `KEY NAME`. The file lies beside the configuration and not in the record, because who can change the record must not be able to
 * choose who is given files. Throws WrongUse for a line that is none. No file is no runners.
 */
export function readTrustedRunners(file: string): TrustedRunners {
  if (!existsSync(file)) return new Map();
  const runners = new Map<string, string>();
  for (const [index, raw] of readFileSync(file, "utf8").split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [key = "", name, ...rest] = line.split(/\s+/);
    if (!isRunnerKey(key) || name === undefined || rest.length > 0)
      throw new WrongUse(`line ${index + 1} of ${file} is not a key and a name`, "Lines are as casparian runner trust writes them");
    runners.set(key, name);
  }
  return runners;
}

/** Replaces the file at once: a crash leaves the old one or the new one. */
export async function writeTrustedRunners(file: string, runners: TrustedRunners): Promise<void> {
  const lines = ["# Who may run plugins for this home: casparian runner trust | remove", ...[...runners].map((pair) => pair.join(" ")), ""];
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.incomplete`;
  await writeFile(draft, lines.join("\n"), { mode: 0o644, flush: true });
  await rename(draft, file);
}
