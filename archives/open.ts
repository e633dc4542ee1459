import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { archiveKindOf, archiveLimits, type ArchiveLimits } from "../domain/archive.ts";
import type { ArchiveEntry } from "./entry.ts";
import { readGzip } from "./gzip.ts";
import { createMeter } from "./meter.ts";
import { streamPieces } from "./pieces.ts";
import { readTarGz } from "./tar.ts";
import { readZip } from "./zip.ts";

/** An archive that is open for reading once, from the first entry to the last. */
export interface OpenArchive extends AsyncDisposable {
  readonly file: FileHandle;
  readonly entries: AsyncGenerator<ArchiveEntry>;
}

/**
 * Opens a file that is an archive by its name, or that of the file that it is a copy of. Throws the file system's failures; reading throws
 * ArchiveRefused as well.
 */
export async function openArchive(
  path: string,
  { name = path, limits = archiveLimits }: { readonly name?: string; readonly limits?: ArchiveLimits | undefined } = {},
): Promise<OpenArchive> {
  // Another thing may have taken the name by now: a link is not followed, and a pipe does not block.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    const entries = read(file, name, createMeter(limits, size));
    return {
      file,
      entries,
      async [Symbol.asyncDispose]() {
        await entries.return(undefined);
        await file.close();
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function read(file: FileHandle, name: string, meter: ReturnType<typeof createMeter>): AsyncGenerator<ArchiveEntry> {
  const kind = archiveKindOf(name);
  if (kind === "zip") return readZip(file, meter);
  const packed = streamPieces(file);
  if (kind === "tar.gz") return readTarGz(packed, meter);
  return readGzip(packed, name.slice(name.lastIndexOf("/") + 1, -".gz".length), meter);
}
