import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { StagedOutput } from "../sink.ts";
import { ownerOf } from "./ownership.ts";
import { onFiles, systemCode } from "../files/refusal.ts";
import { folderOf, replacedFolder, replacedName } from "../files/target.ts";

/** A committed result, as far as its file can be found by it. */
export type KeptResult = Pick<StagedOutput, "uri" | "mode" | "sizeBytes" | "staged" | "target">;

/** Where the rows of a result are: in a file that holds them and no others, or no longer anywhere. */
export type Located =
  | {
      readonly path: string;
      /** Changes when another result takes this file's name; null for a file that never changes. */
      readonly identity: string | null;
    }
  | { readonly path: null; readonly lookedAt: string; readonly found: "nothing" | "another file" };

/**
 * The file of a committed result: under its target's name, or in `_casparian_replaced` where another has that name now. The folder is the
 * one that the record names or, where the home has moved since, the one that the URI names now.
 * Files of modes in which names are passed on are known by what they say of themselves, the others by their size.
 */
export async function locateResult(result: KeptResult, baseDir: string): Promise<Located> {
  const recorded = dirname(result.target);
  const folders = [...new Set([recorded, resolve(folderOf(result.uri, "parquet", baseDir))])];
  let missing: Located | undefined;
  for (const folder of folders) {
    const located = await onFiles(`${folder} can't be read`, () => locateIn(folder, result));
    if (located.path !== null) return located;
    missing ??= located;
  }
  return missing!;
}

async function locateIn(folder: string, { mode, sizeBytes, staged, target }: KeptResult): Promise<Located> {
  const visible = join(folder, basename(target));
  const name = String(staged["name"]);
  const found = await stat(visible, { bigint: true }).catch(unlessGone);
  const passesOn = mode === "replace" || mode === "overwrite";
  if (found !== undefined && found.isFile() && found.size === BigInt(sizeBytes)) {
    if (!passesOn) return { path: visible, identity: null };
    const owner = await ownerOf(visible);
    // Whoever swaps the two in between has linked this result to the other folder before.
    if (typeof owner !== "string" && owner.staged === name) return { path: visible, identity: identityOf(found) };
  }
  const kept = join(folder, replacedFolder, replacedName(name));
  const replaced = await stat(kept, { bigint: true }).catch(unlessGone);
  if (replaced !== undefined && replaced.isFile() && replaced.size === BigInt(sizeBytes)) return { path: kept, identity: null };
  const there = found ?? replaced;
  return there === undefined
    ? { path: null, lookedAt: visible, found: "nothing" }
    : { path: null, lookedAt: found === undefined ? kept : visible, found: "another file" };
}

/** What a file is now, to be compared with what it was when it was located; undefined where it is gone. */
export async function readIdentity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(unlessGone);
  return found === undefined ? undefined : identityOf(found);
}

function identityOf({ dev, ino, size, mtimeNs }: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return [dev, ino, size, mtimeNs].join(" ");
}

function unlessGone(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
  return undefined;
}
