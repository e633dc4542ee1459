import { loadFileVersion } from "../db/file-version.ts";
import type { Database } from "../db/pool.ts";
import type { FileVersion } from "../domain/file-version.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { remember } from "./remember.ts";

export type VersionOf = (fileVersionId: string) => Promise<FileVersion>;

/** Looks versions up, which never change. Throws TerminalFailure UNKNOWN_VERSION. */
export function createVersionOf(db: Database): VersionOf {
  return remember(async (id: string) => {
    const version = await loadFileVersion(db, id);
    if (version !== null) return version;
    throw new TerminalFailure({
      code: "UNKNOWN_VERSION",
      message: `file version ${id} is not in the record`,
      hint: "This workflow was started for another database; terminate it",
    });
  });
}
