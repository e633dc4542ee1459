import type { ByteSource } from "./transport.ts";

/** Kinds of frames on the data channel; `python/casparian_bridge/channel.py` is its other side. */
export const frameKinds = { open: 1, message: 2, end: 3, error: 4 } as const;

/** The payload's memory is its own. */
export interface Frame {
  readonly kind: number;
  readonly output: number;
  readonly payload: Uint8Array;
}

/** The sender did something that the protocol does not know. */
export class BrokenProtocol extends Error {}

const headBytes = 8;
const textBytesMax = 1024 * 1024;
/** Memory for a large frame is taken as its bytes come, so a lie about a length costs no more than this. */
const firstBytesMax = 16 * 1024 * 1024;

/**
 * Reads frames until the end, one at a time: the next is read when `onFrame` has resolved, which is the back-pressure.
 * Throws BrokenProtocol for a frame that is too long, before memory is taken for it, and for one that is cut off.
 */
export async function readFrames(source: ByteSource, messageBytesMax: number, onFrame: (frame: Frame) => Promise<void>): Promise<void> {
  const head = Buffer.allocUnsafe(headBytes);
  for (;;) {
    const filled = await source.fill(head);
    if (filled === 0) return;
    if (filled < headBytes) throw new BrokenProtocol("the data ended within the head of a frame");
    const kind = head.readUInt8(4);
    const length = head.readUInt32LE(0);
    const lengthMax = kind === frameKinds.message ? messageBytesMax : textBytesMax;
    if (length > lengthMax) throw new BrokenProtocol(`a frame of kind ${kind} has ${length} bytes, and ${lengthMax} is the most`);
    const output = head.readUInt16LE(6);
    await onFrame({ kind, output, payload: await readPayload(source, length) });
  }
}

async function readPayload(source: ByteSource, length: number): Promise<Uint8Array> {
  let payload = Buffer.allocUnsafeSlow(Math.min(length, firstBytesMax));
  let filled = await source.fill(payload);
  while (filled === payload.byteLength && filled < length) {
    const grown = Buffer.allocUnsafeSlow(Math.min(length, filled * 2));
    payload.copy(grown);
    payload = grown;
    filled += await source.fill(payload.subarray(filled));
  }
  if (filled < length) throw new BrokenProtocol("the data ended within a frame");
  return payload;
}
