import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import { ownerOf } from "./ownership.ts";
import { onFiles, systemCode } from "./refusal.ts";
import { removeEmptyStaging, syncFolders } from "./staging.ts";
import { stagingFolder } from "./target.ts";

export interface StagedFile {
  readonly folder: string;
  readonly name: string;
  readonly target: string;
  readonly result: string;
  readonly sizeBytes: number;
}

/**
 * Makes a staged file visible by one rename. What each crash leaves, and what the next call finds:
 * before the rename the staged file is there, and is renamed; after it the target is there and says that it is this very
 * staging, and only the folder is synced again. Of two calls at once one rename succeeds, the other finds the staged file gone
 * and the target in place. A target of the same result that another attempt left is replaced; any other file is never touched.
 *
 * Throws TerminalFailure SINK_TARGET_TAKEN, and STAGED_LOST where neither the staged file nor the target is there.
 */
export function commitStaged({ folder, name, target, result, sizeBytes }: StagedFile): Promise<void> {
  const from = join(folder, stagingFolder, name);
  const to = join(folder, target);
  return onFiles(`${to} can't be committed`, async () => {
    if (await isWhole(from, sizeBytes)) {
      const there = await ownerOf(to);
      if (there === "foreign" || (there !== "nothing" && there.result !== result)) throw taken(to);
      await rename(from, to).catch(unlessGone);
    }
    const there = await ownerOf(to);
    if (typeof there === "string" || there.staged !== name) throw lost(from, to);
    await syncFolders(folder, folder);
    await removeEmptyStaging(folder);
  });
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
    message: `${path} is there already and is not an earlier result of this job's file and plugin`,
    hint: "Move that file away, then retry the job",
    data: { path },
  });
}

function lost(from: string, to: string): TerminalFailure {
  return new TerminalFailure({
    code: "STAGED_LOST",
    message: `neither the staged result ${from} nor its target ${to} is there`,
    hint: "Somebody removed it; retry the job to write it again",
    data: { staged: from, target: to },
  });
}

function unlessGone(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
  return undefined;
}
