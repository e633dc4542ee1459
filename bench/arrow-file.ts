import { open, stat, type FileHandle } from "node:fs/promises";
import { scalarIn } from "../arrow/flatbuffer.ts";
import { openMessage } from "../arrow/message.ts";
import type { ArrowMessage } from "../domain/arrow.ts";

/** A file with an Arrow IPC stream without dictionaries, of which one message at a time is in memory, as when a plugin sends them. */
export interface ArrowFile extends AsyncDisposable {
  readonly schema: ArrowMessage;
  batches(): AsyncGenerator<ArrowMessage, void>;
}

export async function openArrowFile(path: string): Promise<ArrowFile> {
  const file = await open(path);
  const { size } = await stat(path);
  const schema = await readMessage(file, 0, "schema");
  return {
    schema: schema.message,
    async *batches() {
      // Eight bytes of zeros end the stream.
      for (let at = schema.end; at + 8 < size;) {
        const { message, end } = await readMessage(file, at, "batch");
        yield message;
        at = end;
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** All messages of such a file, the schema first. */
export async function readMessages(path: string): Promise<readonly ArrowMessage[]> {
  await using file = await openArrowFile(path);
  return [file.schema, ...(await Array.fromAsync(file.batches()))];
}

async function readMessage(
  file: FileHandle,
  at: number,
  kind: ArrowMessage["kind"],
): Promise<{ readonly message: ArrowMessage; readonly end: number }> {
  const metadataBytes = (await readAt(file, at, 8)).readInt32LE(4);
  const { end } = openMessage(await readAt(file, at, 8 + metadataBytes));
  const bytes = await readAt(file, at, end);
  const rows = kind === "batch" ? Number(scalarIn(openMessage(bytes).header, 0, "i64", 0)) : 0;
  return { message: { kind, rows, bytes }, end: at + end };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer;
}
