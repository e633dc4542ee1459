import { existsSync } from "node:fs";
import { recordVersions, type HashedFile } from "../db/file-version.ts";
import type { Queryable } from "../db/pool.ts";
import { addFindings, clearFindings } from "../db/scan-finding.ts";
import { copyFailed, insertSnapshots, keepForNewest, keepStore } from "../db/snapshot.ts";
import { snapshotPath, type SnapshotStore } from "../snapshots/store.ts";
import { inTransaction } from "./connection.ts";

export interface CopiedFile extends HashedFile {
  /** Why its content could not be copied; undefined where it was. */
  readonly copyFailure?: string | undefined;
}

/**
 * Records what was hashed and copied, in one transaction: versions, and that their copies are kept. So no version is recorded without the
 * copy that its source asks for, unless that failed, which becomes a finding. A crash before leaves copies that the sweep removes.
 *
 * A copy that somebody else had made before may have been taken away meanwhile: files whose copy is not there are `missing`, and nothing
 * is recorded of them.
 */
export async function recordWithCopies(
  connection: Queryable,
  request: { readonly sourceId: string; readonly store: SnapshotStore; readonly files: readonly CopiedFile[] },
): Promise<{ readonly recorded: ReadonlySet<string>; readonly missing: ReadonlySet<string> }> {
  const { sourceId, store } = request;
  return inTransaction(connection, async () => {
    await keepStore(connection, store.id);
    const copied = request.files.filter((file) => file.copyFailure === undefined);
    const missing = new Set(copied.filter(({ hash }) => !existsSync(snapshotPath(store.folder, hash))).map((file) => file.relPath));
    const kept = copied.filter((file) => !missing.has(file.relPath));
    if (kept.length > 0) {
      await insertSnapshots(
        connection,
        store.id,
        kept.map(({ hash, stat }) => ({ hash, sizeBytes: stat.sizeBytes })),
      );
    }
    const files = request.files.filter((file) => !missing.has(file.relPath));
    const recorded = files.length === 0 ? new Set<string>() : await recordVersions(connection, sourceId, files);
    if (kept.length > 0) await keepForNewest(connection, { sourceId, store: store.id, files: kept });
    await settleCopyFindings(connection, sourceId, files);
    return { recorded, missing };
  });
}

async function settleCopyFindings(connection: Queryable, sourceId: string, files: readonly CopiedFile[]): Promise<void> {
  const failed = files.filter((file) => file.copyFailure !== undefined);
  const made = files.filter((file) => file.copyFailure === undefined);
  if (failed.length > 0) {
    await addFindings(
      connection,
      sourceId,
      failed.map(({ relPath, copyFailure }) => ({
        relPath,
        kind: copyFailed,
        message: `its content could not be copied to the snapshots (${copyFailure}); its version is on record without a copy, and each full scan tries again`,
      })),
    );
  }
  if (made.length > 0) {
    await clearFindings(
      connection,
      sourceId,
      copyFailed,
      made.map((file) => file.relPath),
    );
  }
}
