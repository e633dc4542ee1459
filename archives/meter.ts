import type { ArchiveLimits } from "../domain/archive.ts";
import { ArchiveRefused } from "./entry.ts";

/** Counts what comes out of one archive, and refuses it when a limit is passed. */
export interface Meter {
  /** One more entry, of whatever kind. */
  entry(): void;
  /** So many bytes more came out. */
  unpacked(bytes: number): void;
  /** The bytes of one member, counted. */
  member(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

export function createMeter(limits: ArchiveLimits, archiveBytes: number): Meter {
  let entries = 0;
  let total = 0;
  return {
    entry() {
      entries += 1;
      if (entries > limits.membersMax) throw new ArchiveRefused(`it has more than ${limits.membersMax} members`);
    },
    unpacked(bytes) {
      total += bytes;
      if (total > limits.bytesMax) throw new ArchiveRefused(`it unpacks to more than ${limits.bytesMax} bytes`);
      if (total > limits.ratioFreeBytes && total > limits.ratioMax * archiveBytes)
        throw new ArchiveRefused(`it unpacks to more than ${limits.ratioMax} times its size, as a zip bomb does`);
    },
    async *member(pieces) {
      let bytes = 0;
      for await (const piece of pieces) {
        bytes += piece.length;
        if (bytes > limits.memberBytesMax) throw new ArchiveRefused(`a member unpacks to more than ${limits.memberBytesMax} bytes`);
        yield piece;
      }
    },
  };
}
