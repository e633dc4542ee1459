import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { WrongUse } from "../domain/failure.ts";
import type { TrustedKeys } from "./artifact.ts";
import { isPublicKey } from "./signing-key.ts";

/**
 * The public keys that a machine trusts: a file of lines `KEY NAME`, kept beside the configuration and not in the record, because who can
 * change the record must not be able to choose whom to trust.
 */

/** Throws WrongUse for a file with a line that is none. No file is no keys. */
export function readTrustedKeys(file: string): TrustedKeys {
  if (!existsSync(file)) return new Map();
  const keys = new Map<string, string>();
  for (const [index, raw] of readFileSync(file, "utf8").split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [key = "", ...name] = line.split(/\s+/);
    if (!isPublicKey(key) || name.length === 0)
      throw new WrongUse(
        `line ${index + 1} of ${file} is not a key and its name`,
        "Lines are as casparian key trust writes them: ed25519:… NAME",
      );
    keys.set(key, name.join(" "));
  }
  return keys;
}

/** Reads the file again whenever it has changed. */
export function watchTrustedKeys(file: string): () => TrustedKeys {
  let read: { readonly stamp: string; readonly keys: TrustedKeys } | undefined;
  return () => {
    const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
    const stamp = stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
    if (read?.stamp !== stamp) read = { stamp, keys: readTrustedKeys(file) };
    return read.keys;
  };
}

/** Replaces the file at once: a crash leaves the old one or the new one. */
export async function writeTrustedKeys(file: string, keys: TrustedKeys): Promise<void> {
  const lines = ["# Whose plugins run here: casparian key trust | distrust", ...[...keys].map(([key, name]) => `${key} ${name}`), ""];
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.incomplete`;
  const handle = await open(draft, "w", 0o644);
  try {
    await handle.writeFile(lines.join("\n"));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}
