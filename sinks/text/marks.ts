import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { FileKind, FoundFile, StagedName } from "../files/commit.ts";
import { readExisting } from "../files/read-existing.ts";
import { dialects, type DialectName } from "./dialect.ts";

/**
 * How a text file, which has no place for a name of its own, is known again without a second file beside it: by its size, the SHA-256 of
 * its first and last 64 KB, and the lineage columns of its last row, with which it ends.
 *
 * That is enough, wherever a crash falls. The lineage names the job and, to the millisecond, when its attempt began. Before the rename the
 * staged file is found under its random name, and the target is one that may be replaced or is not there. After it the target has the
 * size and both ends of what was staged; a file that has them, too, was written by an attempt of the same job that began in the same
 * millisecond, from the same bytes of the same file: it is the same result. A file without rows says nothing of itself, so there
 * the time of its last change must be the same as well, which a rename keeps.
 *
 * Another attempt's file ends in the same lineage but for the time. One without rows may be replaced by any result that has the name:
 * there is nothing to lose in it.
 */
export function textFiles(name: DialectName): FileKind {
  return {
    suffix: `.${name}`,
    marks: ["ends", "changed", "rowEnd"],
    read: (path) => readExisting(path, (handle) => readFile(handle, name)),
  };
}

/** What is kept of a staged file beside its lineage; both are of its last state, so nothing is written after it. */
export async function marksOf(handle: FileHandle): Promise<{ readonly ends: string; readonly changed: string }> {
  const { ends, changed } = await readEnds(handle);
  return { ends, changed };
}

const endBytes = 64 * 1024;

async function readFile(handle: FileHandle, name: DialectName): Promise<FoundFile | "foreign"> {
  if (!(await handle.stat()).isFile()) return "foreign";
  const found = await readEnds(handle);
  const isEmpty = dialects[name].endsWithoutRows(found.last);
  const isResult = ({ marks }: StagedName): boolean => isEmpty || endsWith(found.last, String(marks["rowEnd"]));
  return {
    isStaging: ({ sizeBytes, marks }) =>
      sizeBytes === found.sizeBytes && marks["ends"] === found.ends && (!isEmpty || marks["changed"] === found.changed),
    isResult,
    isOfJob: isResult,
  };
}

interface Ends {
  readonly sizeBytes: number;
  readonly ends: string;
  readonly last: string;
  readonly changed: string;
}

async function readEnds(handle: FileHandle): Promise<Ends> {
  const { size, mtimeNs } = await handle.stat({ bigint: true });
  const sizeBytes = Number(size);
  const first = await readAt(handle, 0, Math.min(endBytes, sizeBytes));
  const last = await readAt(handle, Math.max(0, sizeBytes - endBytes), Math.min(endBytes, sizeBytes));
  const ends = createHash("sha256").update(first).update(last).digest("hex");
  return { sizeBytes, ends, last: last.toString("utf8"), changed: String(mtimeNs) };
}

/** Shorter where the file has been cut meanwhile. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

/** Whether a text ends with a row's end, whenever its attempt began. */
function endsWith(text: string, rowEnd: string): boolean {
  return withoutTime(text.slice(-rowEnd.length)) === withoutTime(rowEnd);
}

function withoutTime(rowEnd: string): string {
  return rowEnd.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/u, "");
}
