import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder } from "../bridge/scratch.ts";
import { messageOf, TerminalFailure, TransientFailure } from "../domain/failure.ts";
import { sameStat, type ArchiveOfMember, type FileVersion } from "../domain/file-version.ts";
import { restoreMember, type ArchiveCopies } from "../archives/restore-member.ts";
import { readStat } from "../scout/stat.ts";
import type { JobInput, OpenedInput } from "./input.ts";

/**
 * The bytes of an archive's member in a private file that has the member's name. The archive may have got another version meanwhile: so
 * long as it, or a copy of it, holds the member with the version's very bytes, which their hash says, they are what the plugin is to read.
 *
 * Throws TransientFailure MEMBER_NOT_READ where the file system fails, and TerminalFailure SNAPSHOT_CORRUPT.
 */
export async function openMember(
  version: FileVersion,
  archive: ArchiveOfMember,
  { scratchRoot, copies, signal }: { readonly scratchRoot: string; readonly copies: ArchiveCopies | null; readonly signal: AbortSignal },
): Promise<OpenedInput> {
  const root = membersFolder(scratchRoot);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(root, `${version.id}-`));
  try {
    const path = join(folder, version.relPath.slice(version.relPath.lastIndexOf("/") + 1));
    const restored = await restoreMember(version, archive, path, { copies, signal });
    if (restored.from !== null) return { same: true, input: await inputAt(path, root, folder) };
    await removeFolder(folder);
    return { same: false, reason: restored.reason };
  } catch (error) {
    await removeFolder(folder);
    signal.throwIfAborted();
    if (error instanceof TerminalFailure) throw error;
    throw new TransientFailure({
      code: "MEMBER_NOT_READ",
      message: `${version.relPath} could not be copied out of its archive: ${messageOf(error)}`,
      hint: "It is tried again; check the folder of the source, and the space below .casparian/scratch",
      cause: error,
    });
  }
}

/** Nobody else writes there; the file is compared all the same, for a plugin that no sandbox keeps from writing. */
async function inputAt(path: string, root: string, folder: string): Promise<JobInput> {
  const before = await readStat(path);
  return {
    path,
    root,
    async verify() {
      const after = await readStat(path);
      if (before !== null && after !== null && sameStat(before, after)) return { same: true };
      throw new TransientFailure({
        code: "INPUT_TOUCHED",
        message: "the private copy of the member was changed while the plugin read it, so it is read again",
        hint: "casparian doctor says what this machine's kernel lacks to keep a plugin from writing there",
      });
    },
    async [Symbol.asyncDispose]() {
      await removeFolder(folder);
    },
  };
}

/** Below which copies of archives' members are made for plugins. */
export function membersFolder(scratchRoot: string): string {
  return join(scratchRoot, "members");
}
