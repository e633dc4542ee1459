import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { parquetFiles } from "../parquet/ownership.ts";
import type { StagedOutput } from "../sink.ts";
import { textFiles } from "../text/marks.ts";
import type { FileKind } from "./commit.ts";
import { unlessAbsent } from "./refusal.ts";
import { replacedFolder, replacedName } from "./target.ts";

/** Sinks that write one file a result into a folder. */
export type FileScheme = "parquet" | "csv" | "jsonl";

const kinds: Readonly<Record<FileScheme, FileKind>> = { parquet: parquetFiles, csv: textFiles("csv"), jsonl: textFiles("jsonl") };

/** A committed result, as far as its file can be found by it. */
export type KeptResult = Pick<StagedOutput, "uri" | "mode" | "sizeBytes" | "staged" | "target">;

/** Where the rows of a result are: in a file that holds them and no others, or no longer anywhere. */
export type Located =
  | {
      /** What the result is known by: its file, or, of one of many files, their list. */
      readonly path: string;
      readonly files: readonly string[];
      /** By which columns the files lie in folders; none of a result that is one file. */
      readonly partition: readonly string[];
      /** Whether it has no rows, and so no such folders. */
      readonly isEmpty: boolean;
      /** Changes when another result takes this file's name; null for a file that never changes. */
      readonly identity: string | null;
    }
  | { readonly path: null; readonly lookedAt: string; readonly found: "nothing" | "another file" };

/**
 * The file of a committed result in a folder: under its target's name, or in `_casparian_replaced` where another has that name now.
 * Files of modes in which names are passed on are known as their sink knows them, the others by their size.
 */
export async function locateFile(folder: string, scheme: FileScheme, { mode, sizeBytes, staged, target }: KeptResult): Promise<Located> {
  const visible = join(folder, basename(target));
  const name = String(staged["name"]);
  const found = await stat(visible, { bigint: true }).catch(unlessAbsent);
  const passesOn = mode === "replace" || mode === "overwrite";
  if (found !== undefined && found.isFile() && found.size === BigInt(sizeBytes)) {
    if (!passesOn) return fileAt(visible, null);
    const there = await kinds[scheme].read(visible);
    // Whoever swaps the two in between has linked this result to the other folder before.
    if (typeof there !== "string" && there.isStaging({ name, target: basename(target), sizeBytes, marks: staged }))
      return fileAt(visible, identityOf(found));
  }
  const kept = join(folder, replacedFolder, replacedName(name));
  const replaced = await stat(kept, { bigint: true }).catch(unlessAbsent);
  if (replaced !== undefined && replaced.isFile() && replaced.size === BigInt(sizeBytes)) return fileAt(kept, null);
  const there = found ?? replaced;
  return there === undefined
    ? { path: null, lookedAt: visible, found: "nothing" }
    : { path: null, lookedAt: found === undefined ? kept : visible, found: "another file" };
}

function fileAt(path: string, identity: string | null): Located {
  return { path, files: [path], partition: [], isEmpty: false, identity };
}

/** What a file is now, to be compared with what it was when it was located; undefined where it is gone. */
export async function readIdentity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(unlessAbsent);
  return found === undefined ? undefined : identityOf(found);
}

export function identityOf({ dev, ino, size, mtimeNs }: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return [dev, ino, size, mtimeNs].join(" ");
}
