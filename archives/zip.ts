import { isUtf8 } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { crc32, inflateRawSync } from "node:zlib";
import { fromRandomAccessReaderPromise, getFileNameLowLevel, type Entry, type ZipFile } from "yauzl";
import { checkMemberName, checkUndecodable, type CheckedName, type MemberRefusal } from "../domain/member-name.ts";
import { ArchiveRefused, asRefusal, type ArchiveEntry } from "./entry.ts";
import type { Meter } from "./meter.ts";
import { ZipReader } from "./zip-reader.ts";

/**
 * The entries of a zip file by its central directory, which alone says what is in it: data descriptors, zip64 and what lies between the
 * members make no difference. Times without a zone, which is how zip has them, are taken for UTC.
 */
export async function* readZip(file: FileHandle, meter: Meter): AsyncGenerator<ArchiveEntry> {
  try {
    // Names as bytes: one that can't be taken must not keep the others from being read.
    const directory = new ZipReader(file);
    const data = new ZipReader(file);
    const zip = await fromRandomAccessReaderPromise(directory, directory.sizeBytes, { decodeStrings: false, autoClose: false });
    zip.on("error", () => {});
    for await (const entry of zip.eachEntry()) {
      meter.entry();
      const { name, refusal } = nameOf(entry);
      if (entry.fileNameRaw.at(-1) === slash) continue;
      yield {
        name,
        refusal: refusal ?? refusalOf(entry),
        mtimeNs: BigInt(entry.getLastModDate({ timezone: "UTC" }).getTime()) * 1_000_000n,
        bytes: () => meter.member(checked(isSmall(entry) ? readAtOnce(data, entry) : stream(zip, entry), entry, meter)),
      };
    }
  } catch (error) {
    throw asRefusal(error);
  }
}

/** Bytes, packed and unpacked. Streams cost half a millisecond each, five times what a small member takes when it is read at once. */
const smallBytes = 256 * 1024;

function isSmall(entry: Entry): boolean {
  return entry.compressedSize <= smallBytes && entry.uncompressedSize <= smallBytes;
}

function* readAtOnce(reader: ZipReader, entry: Entry): Generator<Uint8Array> {
  const header = reader.readExactly(localHeaderBytes, entry.relativeOffsetOfLocalHeader);
  if (header.readUInt32LE(0) !== localSignature) throw new ArchiveRefused("it is corrupt: a member is not where the directory says");
  // The name and extra field there may differ from the directory's; only their lengths count.
  const dataAt = entry.relativeOffsetOfLocalHeader + localHeaderBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = reader.readExactly(entry.compressedSize, dataAt);
  const bytes = entry.compressionMethod === 0 ? Buffer.from(packed) : inflate(packed, entry.uncompressedSize);
  if (bytes.length !== entry.uncompressedSize)
    throw new ArchiveRefused("it is corrupt: a member has not the length that the directory says");
  if (bytes.length > 0) yield bytes;
}

/** At most one byte more than there should be: enough to tell that it is too long. */
function inflate(packed: Buffer, length: number): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: length + 1 });
  } catch (error) {
    if (error instanceof RangeError) throw new ArchiveRefused("it is corrupt: a member is longer than the directory says");
    throw error;
  }
}

/** Of APPNOTE.TXT, 4.3.7. */
const localHeaderBytes = 30;
const localSignature = 0x04034b50;

async function* stream(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  for await (const piece of await zip.openReadStreamPromise(entry)) yield piece as Buffer;
}

/** Counts what comes out and compares its checksum. */
async function* checked(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, entry: Entry, meter: Meter): AsyncGenerator<Uint8Array> {
  let checksum = 0;
  try {
    for await (const piece of pieces) {
      meter.unpacked(piece.length);
      checksum = crc32(piece, checksum);
      yield piece;
    }
  } catch (error) {
    throw asRefusal(error);
  }
  if (checksum !== entry.crc32) throw new ArchiveRefused("it is corrupt: the checksum of a member does not match its bytes");
}

const slash = 0x2f;

/** UTF-8 where the entry says so (bit 11, or the field of Info-ZIP), else code page 437, by the specification (APPNOTE.TXT, appendix D). */
function nameOf(entry: Entry): CheckedName {
  const saysUtf8 = (entry.generalPurposeBitFlag & 0x800) !== 0;
  if (saysUtf8 && !isUtf8(entry.fileNameRaw)) return checkUndecodable(entry.fileNameRaw);
  return checkMemberName(getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true));
}

function refusalOf(entry: Entry): MemberRefusal | null {
  if (entry.isEncrypted()) {
    return {
      kind: "MEMBER_ENCRYPTED",
      message: "it is encrypted, and there is no way to give a password; unpack it, or pack it without one",
    };
  }
  const type = unixTypeOf(entry);
  if (type === 0o120000) return { kind: "MEMBER_LINK", message: "a symbolic link, which is not followed" };
  if (type !== 0 && type !== 0o100000) return { kind: "MEMBER_NO_FILE", message: "neither a file nor a folder" };
  if (entry.canDecodeFileData()) return null;
  return {
    kind: "MEMBER_METHOD_UNKNOWN",
    message: `it is packed by method ${entry.compressionMethod}, and only stored (0) and deflated (8) members can be read`,
  };
}

/** The kind of file as Unix and macOS note it in the upper half of the external attributes; 0 where another system packed it. */
function unixTypeOf(entry: Entry): number {
  const system = entry.versionMadeBy >> 8;
  return system === 3 || system === 19 ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0;
}
