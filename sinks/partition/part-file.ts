import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import type { Lineage } from "../../domain/lineage.ts";
import { onFiles, systemCode } from "../files/refusal.ts";
import { appendTo } from "../files/staging.ts";
import { createAssembly, type Assembly } from "../parquet/assembly.ts";
import { readSummary } from "../parquet/footer.ts";
import type { ResultFile } from "./manifest.ts";

/** A file of a result, below the result's folder. It is open only while something is written, because a result may have a thousand. */
export interface PartFile {
  /** Appends the row groups of an encoded part. */
  append(part: Uint8Array): Promise<void>;
  rows(): number;
  /** Ends the file with the footer that `footerOf` makes, makes it durable, and counts what is on disk. */
  finish(footerOf: (assembly: Assembly) => Uint8Array): Promise<ResultFile>;
}

export function createPartFile(folder: string, path: string, { lineage, makeFolder }: PartFileOptions): PartFile {
  const whole = join(folder, path);
  let handle: FileHandle | undefined;
  let isNew = true;
  const assembly = createAssembly(lineage, (bytes) => appendTo({ handle: handle!, path: whole }, bytes));

  async function whileOpen<T>(work: () => Promise<T>): Promise<T> {
    if (isNew) await makeFolder(dirname(path));
    handle = await onFiles(`${whole} can't be written`, () => open(whole, isNew ? "ax+" : "a+"));
    isNew = false;
    try {
      return await work();
    } finally {
      await handle.close();
    }
  }

  return {
    append: (part) => whileOpen(() => assembly.add(part)),
    rows: () => assembly.rows(),
    finish: (footerOf) =>
      whileOpen(async () => {
        await appendTo({ handle: handle!, path: whole }, footerOf(assembly));
        return onFiles(`${whole} can't be made durable`, async () => {
          await handle!.sync();
          const { rows, sizeBytes } = await readSummary(handle!, whole);
          return { path, rows, sizeBytes };
        });
      }),
  };
}

export interface PartFileOptions {
  readonly lineage: Lineage;
  /** Makes a folder below the result's, if it is not there. */
  readonly makeFolder: (path: string) => Promise<void>;
}

/** The folders of a result, each made once. */
export interface ResultFolders {
  make(path: string): Promise<void>;
  /** All that were made, below the result's. */
  made(): readonly string[];
}

export function createResultFolders(folder: string): ResultFolders {
  const made = new Set<string>();
  const make = async (path: string): Promise<void> => {
    if (path === "." || made.has(path)) return;
    await make(dirname(path));
    await onFiles(`${join(folder, path)} can't be created`, () => makeOne(join(folder, path), path));
    made.add(path);
  };
  return { make, made: () => [...made] };
}

/** A folder that nobody but us could have made is there where the file system takes two names for one. */
async function makeOne(whole: string, path: string): Promise<void> {
  try {
    await mkdir(whole);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    throw new TerminalFailure({
      code: "SINK_VALUE",
      message: `the partition ${path} has the same folder as another one: the file system of ${whole} takes their names for the same`,
      hint: "Give values that differ in upper and lower case one spelling in the plugin, or use a folder of another file system",
      data: { path },
      cause: error,
    });
  }
}
