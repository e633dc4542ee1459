import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import { checkMemberName, checkUndecodable, type CheckedName, type MemberRefusal } from "../domain/member-name.ts";
import { asRefusal, type ArchiveEntry } from "./entry.ts";
import { gunzip } from "./gzip.ts";
import type { Meter } from "./meter.ts";

/** The entries of a gzipped tar file. All of it is unpacked and counted, also what is skipped. */
export async function* readTarGz(packed: Readable, meter: Meter): AsyncGenerator<ArchiveEntry> {
  const tar = extract(options as object);
  const unpacked = gunzip(packed);
  const fail = (error: unknown): void => tar.destroy(error instanceof Error ? error : new Error(String(error)));
  unpacked.on("error", fail);
  unpacked.on("data", (piece: Buffer) => {
    try {
      meter.unpacked(piece.length);
    } catch (error) {
      fail(error);
    }
  });
  unpacked.pipe(tar);
  try {
    for await (const entry of tar) {
      meter.entry();
      const { header } = entry;
      let isRead = false;
      if (header.type !== "directory") {
        const { name, refusal } = nameOf(header);
        yield {
          name,
          refusal: refusal ?? refusalOf(header),
          mtimeNs: mtimeOf(header),
          bytes() {
            isRead = true;
            return meter.member(bytesOf(entry as AsyncIterable<Uint8Array>));
          },
        };
      }
      if (!isRead) entry.resume();
    }
  } catch (error) {
    throw asRefusal(error);
  } finally {
    unpacked.destroy();
  }
}

/** As Latin-1 each byte of a name is a character, so that names that are no UTF-8 can be told. Its types lack both. */
const options = { filenameEncoding: "latin1", allowUnknownFormat: true };

async function* bytesOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* entry;
  } catch (error) {
    throw asRefusal(error);
  }
}

function nameOf(header: Header): CheckedName {
  const extended = attributesOf(header)["path"];
  if (extended !== undefined && extended === header.name) {
    return extended.includes("\uFFFD") ? checkUndecodable(Buffer.from(extended)) : checkMemberName(extended);
  }
  const bytes = Buffer.from(header.name, "latin1");
  return isUtf8(bytes) ? checkMemberName(bytes.toString()) : checkUndecodable(bytes);
}

/** The extended attributes, where there are some. */
function attributesOf({ pax }: Header): Readonly<Record<string, string>> {
  return (pax ?? {}) as Readonly<Record<string, string>>;
}

/** Links are said even where the member that a hard link names is taken: their own paths would be missed. */
function refusalOf(header: Header): MemberRefusal | null {
  const { linkname } = header;
  // Kinds that tar-stream does not know come as null.
  const type: string | null = header.type;
  if (Object.keys(attributesOf(header)).some((key) => key.startsWith("GNU.sparse."))) {
    return { kind: "MEMBER_NO_FILE", message: "a sparse file in a form that can't be read; pack it again without --sparse" };
  }
  switch (type) {
    case "file":
    case "contiguous-file":
      return null;
    case "link":
      return { kind: "MEMBER_LINK", message: `a hard link to ${linkname}, which is a member of its own` };
    case "symlink":
      return { kind: "MEMBER_LINK", message: `a symbolic link to ${linkname}, which is not followed` };
    default:
      return { kind: "MEMBER_NO_FILE", message: `neither a file nor a folder${type === null ? "" : ` (${type})`}` };
  }
}

function mtimeOf({ mtime }: Header): bigint | null {
  const ms = mtime.getTime();
  return Number.isNaN(ms) ? null : BigInt(Math.trunc(ms)) * 1_000_000n;
}
