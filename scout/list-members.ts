import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { archiveKindOf, memberPath, type ArchiveLimits } from "../domain/archive.ts";
import { messageOf } from "../domain/failure.ts";
import { sameStat, type FileStat } from "../domain/file-version.ts";
import type { MemberRefusal } from "../domain/member-name.ts";
import { describeLimit, outsideLimits, selection, type SelectionGlobs, type SelectionLimits } from "../domain/selection.ts";
import { errorCode, isGone } from "../domain/system-error.ts";
import { recordable, toFileStat } from "./stat.ts";
import { ArchiveRefused, type ArchiveEntry } from "../archives/entry.ts";
import { openArchive } from "../archives/open.ts";

export interface ListMembersRequest {
  /** The source's root folder, absolute. */
  readonly root: string;
  /** The archive's path below it. */
  readonly relPath: string;
  /** The archive as it is on record; another stat means that it must settle again. */
  readonly stat: FileStat;
  /** A copy of the archive that is read instead. */
  readonly copy?: string | undefined;
  /** Which of its members are taken. */
  readonly globs: SelectionGlobs;
  /** What the source says of its files holds for members, too. */
  readonly fileLimits: SelectionLimits;
  readonly limits?: ArchiveLimits | undefined;
}

/** A member as it was read, or why it was not. */
export interface ListedMember {
  readonly name: string;
  /** SHA-256, hex; null where it is refused. */
  readonly hash: string | null;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** For a refused member; for one that is taken, what else is to be said about it. */
  readonly finding: MemberRefusal | null;
}

export interface MemberChunk {
  readonly members: readonly ListedMember[];
  /** Bytes unpacked since the last chunk. */
  readonly bytes: number;
}

export type ListMembersEnd =
  | { readonly outcome: "READ" }
  /** It changed, went or became something else before its last byte was read. */
  | { readonly outcome: "CHANGED"; readonly stat: FileStat }
  | { readonly outcome: "REFUSED" | "UNREADABLE"; readonly message: string };

const chunkMembers = 500;
const chunkBytes = 16 * 1024 * 1024;

/** Reads an archive once and hashes each member that the globs take: meant for a worker thread. Memory is flat, whatever it holds. */
export async function* listMembers(request: ListMembersRequest): AsyncGenerator<MemberChunk, ListMembersEnd> {
  const { copy } = request;
  const path = copy ?? `${request.root}/${request.relPath}`;
  try {
    const before = toFileStat(lstatSync(path, { bigint: true }));
    const due = copy === undefined ? request.stat : before;
    if (!sameStat(before, due)) return { outcome: "CHANGED", stat: before };
    await using archive = await openArchive(path, { name: request.relPath, limits: request.limits });
    const trouble = yield* readAll(archive.entries, request);
    const after = toFileStat(await archive.file.stat({ bigint: true }));
    if (!sameStat(after, due)) return { outcome: "CHANGED", stat: after };
    return trouble === null ? { outcome: "READ" } : { outcome: "REFUSED", message: trouble };
  } catch (error) {
    if (isGone(error) || errorCode(error) === "ELOOP") return { outcome: "CHANGED", stat: request.stat };
    return { outcome: "UNREADABLE", message: errorCode(error) || messageOf(error) };
  }
}

/** Why the archive is refused; null where all of it was read. */
async function* readAll(entries: AsyncIterable<ArchiveEntry>, request: ListMembersRequest): AsyncGenerator<MemberChunk, string | null> {
  const { takesMember } = selection(request.globs);
  let members: ListedMember[] = [];
  let bytes = 0;
  try {
    for await (const entry of entries) {
      if (entry.refusal === null && !takesMember(request.relPath, entry.name)) continue;
      const mtimeNs = recordable(entry.mtimeNs ?? request.stat.mtimeNs);
      if (entry.refusal !== null) {
        members.push({ name: entry.name, hash: null, sizeBytes: 0, mtimeNs, finding: entry.refusal });
      } else {
        const hash = createHash("sha256");
        let sizeBytes = 0;
        for await (const piece of entry.bytes()) {
          hash.update(piece);
          sizeBytes += piece.length;
          bytes += piece.length;
          if (bytes >= chunkBytes) yield takeChunk();
        }
        const outside = outsideFinding({ sizeBytes, modifiedAtMs: Number(mtimeNs / 1_000_000n) }, request.fileLimits);
        const digest = outside === null ? hash.digest("hex") : null;
        members.push({ name: entry.name, hash: digest, sizeBytes, mtimeNs, finding: outside ?? nestedArchive(request.relPath, entry) });
      }
      if (members.length >= chunkMembers) yield takeChunk();
    }
  } catch (error) {
    if (error instanceof ArchiveRefused) return error.message;
    throw error;
  }
  if (members.length > 0 || bytes > 0) yield takeChunk();
  return null;

  function takeChunk(): MemberChunk {
    const chunk = { members, bytes };
    members = [];
    bytes = 0;
    return chunk;
  }
}

function outsideFinding(
  file: { readonly sizeBytes: number; readonly modifiedAtMs: number },
  limits: SelectionLimits,
): MemberRefusal | null {
  const kind = outsideLimits(file, limits, Date.now());
  if (kind === null) return null;
  return { kind: "MEMBER_OUTSIDE_LIMITS", message: `left out by the source's limits: it is ${describeLimit(kind, limits)}` };
}

function nestedArchive(relPath: string, { name }: ArchiveEntry): MemberRefusal | null {
  if (archiveKindOf(memberPath(relPath, name)) === null) return null;
  return { kind: "MEMBER_IS_ARCHIVE", message: "an archive within an archive, which is taken as it is and not opened" };
}
