import { openPromise, type Entry, type ZipFile } from "yauzl";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { gather, type Sample } from "./sample.ts";

export interface ZipMember {
  readonly name: string;
  readonly sizeBytes: number;
}

const membersMax = 1_000;

/** The members of a zip file that are files, and one of them as a sample. */
export interface OpenZip {
  readonly members: readonly ZipMember[];
  read(name: string, bytesMax: number): Promise<Sample>;
  close(): void;
}

/** Throws WrongUse for what is no readable zip file. */
export async function openZip(path: string): Promise<OpenZip> {
  let zip: ZipFile;
  const entries = new Map<string, Entry>();
  try {
    zip = await openPromise(path, { autoClose: false });
    zip.on("error", () => {});
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith("/")) entries.set(entry.fileName, entry);
      if (entries.size === membersMax) break;
    }
  } catch (error) {
    throw new WrongUse(`${path} begins like a zip file and can't be read as one: ${messageOf(error)}`);
  }
  return {
    members: [...entries].map(([name, { uncompressedSize }]) => ({ name, sizeBytes: uncompressedSize })),
    async read(name, bytesMax) {
      const entry = entries.get(name);
      if (entry === undefined) throw new WrongUse(`${path} has no member ${name}`, `It has ${[...entries.keys()].slice(0, 10).join(", ")}`);
      if (entry.isEncrypted()) throw new WrongUse(`the member ${name} of ${path} is encrypted`);
      const { bytes, isWhole } = await gather((await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>, bytesMax);
      return { bytes, sizeBytes: entry.uncompressedSize, isWhole };
    },
    close: () => zip.close(),
  };
}
