import { copyFile, link, mkdir, readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import { onFiles, systemCode, unlessGone } from "./refusal.ts";
import { removeEmptyStaging, syncFolders } from "./staging.ts";
import { replacedFolder, replacedName, stagingFolder } from "./target.ts";

/** How a result is called while it is staged and once it is visible, and by what its file is known again. */
export interface StagedName {
  readonly name: string;
  readonly target: string;
  readonly sizeBytes: number;
  /** In the sink's own terms. */
  readonly marks: Readonly<Record<string, string | number>>;
}

export interface StagedFile extends StagedName {
  readonly kind: FileKind;
  readonly folder: string;
  /** Results whose place it takes. */
  readonly replaced: readonly StagedName[];
  /** Whether nothing else may be left in the folder. */
  readonly isAlone: boolean;
}

/** What distinguishes the files of one sink from those of another. */
export interface FileKind {
  /** Of visible files, as `.parquet`. */
  readonly suffix: string;
  /** What `StagedName.marks` must hold. */
  readonly marks: readonly string[];
  /** What the file at a path is known by; "nothing" where there is none, "foreign" where it is none of ours. */
  read(path: string): Promise<FoundFile | "nothing" | "foreign">;
}

export interface FoundFile {
  /** Whether it is this very staging. */
  isStaging(staged: StagedName): boolean;
  /** Whether it stands for the same result, whichever attempt wrote it. */
  isResult(staged: StagedName): boolean;
  /** Whether it is a result of the same job. */
  isOfJob(staged: StagedName): boolean;
}

/**
 * Makes a staged file visible by one rename. What each crash leaves, and what the next call finds:
 * before the rename the staged file is there, and is renamed; after it the target is there and says that it is this very
 * staging, and only the folder is synced again. Of two calls at once one rename succeeds, the other finds the staged file gone
 * and the target in place. A target of the same result that another attempt left is replaced, and so are those that are given; any other
 * file is never touched.
 *
 * The file whose name it takes is linked to `_casparian_replaced` before. Replaced results under other names, from before the topic's mode
 * was changed, are moved there afterwards: for a moment readers find them beside the new one.
 *
 * Throws TerminalFailure SINK_TARGET_TAKEN, and STAGED_LOST where neither the staged file nor the target is there.
 */
export function commitStaged(file: StagedFile): Promise<void> {
  const { kind, folder, name, target, replaced } = file;
  const from = join(folder, stagingFolder, name);
  const to = join(folder, target);
  return onFiles(`${to} can't be committed`, async () => {
    if (await isWhole(from, file.sizeBytes)) {
      const there = await kind.read(to);
      if (there === "foreign" || (there !== "nothing" && ![file, ...replaced].some((yielding) => there.isResult(yielding))))
        throw taken(to);
      if (file.isAlone) await refuseForeign(file);
      for (const other of replaced) await keepReplaced(file, other);
      await rename(from, to).catch(unlessGone);
    }
    if (!(await isAt(kind, to, file))) throw lost(from, to);
    for (const other of replaced) if (other.target !== target) await moveReplaced(file, other);
    await syncFolders(folder, folder);
    await removeEmptyStaging(folder);
  });
}

/** Whether the target is this very staging. */
export function isCommitted(kind: FileKind, folder: string, staged: StagedName): Promise<boolean> {
  const path = join(folder, staged.target);
  return onFiles(`${path} can't be read`, () => isAt(kind, path, staged));
}

/** A result that is about to lose its name gets another one, unless it has it already. */
async function keepReplaced({ kind, folder, target }: StagedFile, other: StagedName): Promise<void> {
  const visible = join(folder, other.target);
  if (other.target !== target || !(await isAt(kind, visible, other))) return;
  const kept = await replacedPath(folder, other);
  try {
    await link(visible, kept);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    // File systems without hard links. A copy that a crash cut short is written again.
    await copyFile(visible, `${kept}.incomplete`);
    await rename(`${kept}.incomplete`, kept);
  }
  await syncFolders(dirname(kept), folder);
}

async function moveReplaced({ kind, folder }: StagedFile, other: StagedName): Promise<void> {
  const visible = join(folder, other.target);
  if (await isAt(kind, visible, other)) await rename(visible, await replacedPath(folder, other)).catch(unlessGone);
}

async function replacedPath(folder: string, { name }: StagedName): Promise<string> {
  await mkdir(join(folder, replacedFolder), { recursive: true });
  return join(folder, replacedFolder, replacedName(name));
}

async function isAt(kind: FileKind, path: string, staged: StagedName): Promise<boolean> {
  const there = await kind.read(path);
  return typeof there !== "string" && there.isStaging(staged);
}

/** Only the results that it replaces and other outputs of its job may lie beside a result that is to be alone. */
async function refuseForeign(file: StagedFile): Promise<void> {
  const { kind, folder, replaced } = file;
  const known = new Set(replaced.map((other) => other.target));
  for (const name of await readdir(folder)) {
    if (!name.endsWith(kind.suffix) || known.has(name)) continue;
    const there = await kind.read(join(folder, name));
    if (there === "nothing" || (there !== "foreign" && there.isOfJob(file))) continue;
    throw taken(join(folder, name));
  }
}

async function isWhole(path: string, sizeBytes: number): Promise<boolean> {
  const found = await stat(path).catch(unlessGone);
  if (found !== undefined && found.size !== sizeBytes)
    throw new TerminalFailure({
      code: "STAGED_LOST",
      message: `the staged result ${path} has ${found.size} bytes where ${sizeBytes} were staged`,
      hint: "Somebody changed it; retry the job to write it again",
    });
  return found !== undefined;
}

function taken(path: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TARGET_TAKEN",
    message: `${path} is there already, and is not a result whose place this one may take`,
    hint: "Move that file away, then retry the job",
    data: { path },
  });
}

/** Neither what was staged nor its target is there. */
export function lost(from: string, to: string): TerminalFailure {
  return new TerminalFailure({
    code: "STAGED_LOST",
    message: `neither the staged result ${from} nor its target ${to} is there`,
    hint: "Somebody removed it; retry the job to write it again",
    data: { staged: from, target: to },
  });
}
