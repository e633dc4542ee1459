import type { Socket } from "node:net";

export interface Packet {
  readonly type: number;
  /** Whether the message ends with it. */
  readonly isLast: boolean;
  /** Whether the sender takes the message back. */
  readonly isIgnored: boolean;
  readonly body: Buffer;
}

/** The packets of a connection; nothing more is read while one of them is looked at. */
export async function* packetsOf(socket: Socket): AsyncGenerator<Packet, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 8) {
      const length = rest.readUInt16BE(at + 2);
      if (rest.length - at < length) break;
      const status = rest[at + 1]!;
      yield { type: rest[at]!, isLast: (status & 1) === 1, isIgnored: (status & 2) === 2, body: rest.subarray(at + 8, at + length) };
      at += length;
    }
    rest = rest.subarray(at);
  }
}

const bodyBytesMax = 4088;

/** Sends an answer. */
export function reply(socket: Socket, answer: Buffer): void {
  for (let at = 0; at === 0 || at < answer.length; at += bodyBytesMax) {
    const body = answer.subarray(at, at + bodyBytesMax);
    const header = Buffer.from([4, at + bodyBytesMax >= answer.length ? 1 : 0, 0, 0, 0, 0, 1, 0]);
    header.writeUInt16BE(body.length + 8, 2);
    socket.write(Buffer.concat([header, body]));
  }
}
