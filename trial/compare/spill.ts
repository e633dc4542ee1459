import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import type { ArrowMessage } from "../../domain/arrow.ts";

/** All rows of one output, on the disk. */
export interface Spill {
  /** The first message. */
  readonly schema: ArrowMessage;
  /** Of all bytes: two outputs with the same have the same rows. */
  readonly digest: string;
  readonly path: string;
}

export interface SpillWriter {
  /** The bytes are used until it resolves. */
  write(message: ArrowMessage): Promise<void>;
  finish(): Promise<Spill>;
  /** May be called at any time. */
  close(): Promise<void>;
}

/** Before each message: its kind, its length, its rows. */
const headBytes = 16;
const kinds = ["schema", "dictionary", "batch"] as const;

export async function createSpill(path: string, schema: ArrowMessage): Promise<SpillWriter> {
  const file = await open(path, "wx", 0o600);
  const hash = createHash("sha256");
  // Its sender uses the bytes again.
  const kept: ArrowMessage = { ...schema, bytes: new Uint8Array(schema.bytes) };
  hash.update(kept.bytes);
  return {
    async write(message) {
      const head = Buffer.alloc(headBytes);
      head.writeUInt32LE(kinds.indexOf(message.kind), 0);
      head.writeUInt32LE(message.bytes.length, 4);
      head.writeDoubleLE(message.rows, 8);
      hash.update(message.bytes);
      await file.appendFile(head);
      await file.appendFile(message.bytes);
    },
    async finish() {
      await file.close();
      return { schema: kept, digest: hash.digest("hex"), path };
    },
    close: () => file.close(),
  };
}

/** The messages after the schema, one at a time. */
export async function* readSpill({ path }: Spill): AsyncGenerator<ArrowMessage> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(headBytes);
    for (let at = 0; (await readAt(file, head, at)) > 0;) {
      const bytes = new Uint8Array(head.readUInt32LE(4));
      await readAt(file, bytes, at + headBytes);
      at += headBytes + bytes.length;
      yield { kind: kinds[head.readUInt32LE(0)]!, rows: head.readDoubleLE(8), bytes };
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
