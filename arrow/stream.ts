import type { ArrowMessage } from "../domain/arrow.ts";
import { scalarIn } from "./flatbuffer.ts";
import { headerKind, openMessage } from "./message.ts";

const kinds = ["schema", "dictionary", "batch"] as const;

/** The messages that lie one after the other in a stream of Arrow's IPC format, or in a part of one, as views; up to its end mark, if it has one. */
export function messagesIn(stream: Uint8Array): readonly ArrowMessage[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const messages: ArrowMessage[] = [];
  for (let at = 0; at < stream.length && view.getInt32(at + 4, true) > 0;) {
    const { header, end } = openMessage(stream, at);
    const kind = kinds[headerKind(stream, at) - 1];
    if (kind === undefined) throw new Error("an Arrow message that is neither schema nor dictionary nor batch");
    messages.push({ kind, rows: kind === "batch" ? Number(scalarIn(header, 0, "i64", 0)) : 0, bytes: stream.subarray(at, end) });
    at = end;
  }
  return messages;
}
