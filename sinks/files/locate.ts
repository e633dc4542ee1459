import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parquetFiles } from "../parquet/ownership.ts";
import type { StagedOutput } from "../sink.ts";
import { textFiles } from "../text/marks.ts";
import type { FileKind } from "./commit.ts";
import { onFiles, systemCode } from "./refusal.ts";
import { folderOf, replacedFolder, replacedName } from "./target.ts";

/** Sinks that write one file a result into a folder. */
export type FileScheme = "parquet" | "csv" | "jsonl";

const kinds: Readonly<Record<FileScheme, FileKind>> = { parquet: parquetFiles, csv: textFiles("csv"), jsonl: textFiles("jsonl") };

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
 * Files of modes in which names are passed on are known as their sink knows them, the others by their size.
 */
export async function locateResult(scheme: FileScheme, result: KeptResult, baseDir: string): Promise<Located> {
  const recorded = dirname(result.target);
  const folders = [...new Set([recorded, resolve(folderOf(result.uri, scheme, baseDir))])];
  let missing: Located | undefined;
  for (const folder of folders) {
    const located = await onFiles(`${folder} can't be read`, () => locateIn(folder, kinds[scheme], result));
    if (located.path !== null) return located;
    missing ??= located;
  }
  return missing!;
}

async function locateIn(folder: string, kind: FileKind, { mode, sizeBytes, staged, target }: KeptResult): Promise<Located> {
  const visible = join(folder, basename(target));
  const name = String(staged["name"]);
  const found = await stat(visible, { bigint: true }).catch(unlessGone);
  const passesOn = mode === "replace" || mode === "overwrite";
  if (found !== undefined && found.isFile() && found.size === BigInt(sizeBytes)) {
    if (!passesOn) return { path: visible, identity: null };
    const there = await kind.read(visible);
    // Whoever swaps the two in between has linked this result to the other folder before.
    if (typeof there !== "string" && there.isStaging({ name, target: basename(target), sizeBytes, marks: staged }))
      return { path: visible, identity: identityOf(found) };
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
