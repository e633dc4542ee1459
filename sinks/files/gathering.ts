import type { ArrowMessage } from "../../domain/arrow.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { dictionaryOf, endOfStream, openMessage, readingArrow } from "../../arrow/message.ts";

/** One Arrow IPC stream that is growing: schema, the dictionaries as they stand, batches. */
export interface Gathering {
  /** Copies the message, whose bytes its sender may use again. */
  add(message: ArrowMessage): void;
  /** Bytes of what was added, without what the stream began with. */
  bytes(): number;
  /** Whether a stream was taken before. */
  wasTaken(): boolean;
  /** Ends the stream and gives it away. */
  take(): { readonly stream: ArrayBuffer; readonly bytes: number };
  /** Gives the memory back; nothing can be added any more. */
  close(): void;
}

/** Each stream begins with `schema`. */
export function createGathering(schema: Uint8Array): Gathering {
  const dictionaries = new Map<number, readonly Uint8Array[]>();
  let stream = pages(reservedBytes);
  let length = 0;
  let added = 0;
  let taken = false;

  const append = (bytes: Uint8Array): void => {
    const end = length + bytes.length;
    if (end > stream.maxByteLength) {
      const wider = pages(2 * end);
      wider.resize(end);
      new Uint8Array(wider).set(new Uint8Array(stream));
      stream.transfer(0);
      stream = wider;
    }
    if (end > stream.byteLength) stream.resize(end);
    new Uint8Array(stream, length).set(bytes);
    length = end;
  };
  const begin = (): void => {
    append(schema);
    for (const parts of dictionaries.values()) for (const part of parts) append(part);
  };
  return {
    add({ kind, bytes }) {
      if (bytes.length % 8 !== 0)
        throw new TerminalFailure({ code: "SINK_SCHEMA", message: `an Arrow message of ${bytes.length} bytes is not padded to 8 bytes` });
      if (kind === "dictionary") keepDictionary(dictionaries, bytes);
      const begins = length === 0;
      if (begins) begin();
      // A dictionary that comes first is among those that the stream has begun with.
      if (begins && kind === "dictionary") return;
      append(bytes);
      added += bytes.length;
    },
    bytes: () => added,
    wasTaken: () => taken,
    take() {
      if (length === 0) begin();
      append(endOfStream);
      const whole = { stream, bytes: length };
      stream = pages(reservedBytes);
      length = 0;
      added = 0;
      taken = true;
      return whole;
    },
    close() {
      stream.transfer(0);
    },
  };
}

/** Address space, not memory: more than a part usually takes. */
const reservedBytes = 32 * 1024 * 1024;

/**
 * A buffer that grows in place. Its pages come from the system and go back to it at once; with buffers of fixed size, which
 * come from malloc, some 100 MB stayed with the process after 139 MB had gone through.
 */
function pages(bytesMax: number): ArrayBuffer {
  try {
    return new ArrayBuffer(0, { maxByteLength: bytesMax });
  } catch (error) {
    throw new TerminalFailure({
      code: "SINK_ENCODING",
      message: `a batch is too large: ${bytesMax / 2} bytes at least`,
      hint: "Let the plugin yield fewer rows at a time",
      cause: error,
    });
  }
}

function keepDictionary(dictionaries: Map<number, readonly Uint8Array[]>, bytes: Uint8Array): void {
  const { id, isDelta } = readingArrow("a dictionary", () => dictionaryOf(openMessage(bytes).header));
  const earlier = isDelta ? (dictionaries.get(id) ?? []) : [];
  dictionaries.set(id, [...earlier, new Uint8Array(bytes)]);
}
