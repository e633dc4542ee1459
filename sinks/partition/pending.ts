import type { ArrowMessage } from "../../domain/arrow.ts";
import { dictionaryIds } from "../../arrow/buffers.ts";
import { dictionaryOf, endOfStream, openMessage, readingArrow } from "../../arrow/message.ts";
import type { ArrowField } from "../../arrow/type.ts";

/** The dictionaries of the columns that stay in the files, as they stand. */
export interface Dictionaries {
  /** Copies the message. */
  add(message: ArrowMessage): void;
  /** What a stream must be given before its next batch, when it has been given `seen` already; notes that in `seen`. */
  news(seen: Map<number, SeenDictionary>): readonly Uint8Array[];
}

/** How much of a dictionary a stream has. */
interface SeenDictionary {
  readonly generation: number;
  readonly messages: number;
}

export function createDictionaries(fields: readonly ArrowField[]): Dictionaries {
  const wanted = new Set(fields.flatMap(dictionaryIds));
  const present = new Map<number, { readonly generation: number; readonly messages: readonly Uint8Array[] }>();
  return {
    add({ bytes }) {
      const { id, isDelta } = readingArrow("a dictionary", () => dictionaryOf(openMessage(bytes).header));
      if (!wanted.has(id)) return;
      const before = present.get(id);
      const continued = isDelta && before !== undefined;
      present.set(id, {
        generation: continued ? before.generation : (before?.generation ?? 0) + 1,
        messages: [...(continued ? before.messages : []), new Uint8Array(bytes)],
      });
    },
    news(seen) {
      const news: Uint8Array[] = [];
      for (const [id, { generation, messages }] of present) {
        const before = seen.get(id);
        const known = before?.generation === generation ? before.messages : 0;
        news.push(...messages.slice(known));
        seen.set(id, { generation, messages: messages.length });
      }
      return news;
    },
  };
}

/** The batches of one partition that wait to be encoded as one part. */
export interface Pending {
  /** Takes the batch, which nobody else may have. */
  add(batch: Uint8Array): void;
  /** Of the batches, and of the dictionaries among them. */
  bytes(): number;
  /** The whole Arrow stream of what was added, and begins anew. */
  take(): { readonly stream: ArrayBuffer; readonly bytes: number };
}

/** Each stream begins with `schema`. */
export function createPending(schema: Uint8Array, dictionaries: Dictionaries): Pending {
  let messages: Uint8Array[] = [];
  let batches: Uint8Array[] = [];
  let seen = new Map<number, SeenDictionary>();
  let length = 0;
  const append = (message: Uint8Array): void => {
    messages.push(message);
    length += message.length;
  };
  return {
    add(batch) {
      dictionaries.news(seen).forEach(append);
      append(batch);
      batches.push(batch);
    },
    bytes: () => length,
    take() {
      const whole = Buffer.concat([schema, ...messages, endOfStream]);
      // Gives the memory back at once; the garbage collector may come much later.
      for (const batch of batches) (batch.buffer as ArrayBuffer).transfer(0);
      messages = [];
      batches = [];
      seen = new Map();
      length = 0;
      // A small buffer may be a piece of a larger one that others use, and a thread is given all of it.
      const bytes = whole.byteLength;
      const isAlone = whole.byteOffset === 0 && whole.buffer.byteLength === bytes;
      return { stream: isAlone ? whole.buffer : new Uint8Array(whole).buffer, bytes };
    },
  };
}
