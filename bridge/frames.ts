import type { ByteSource } from "./transport/transport.ts";

/** Kinds of frames on the data channel; `python/casparian_bridge/channel.py` is its other side. */
export const frameKinds = { open: 1, message: 2, end: 3, error: 4 } as const;

/** The payload's memory is used again for the next frame. */
export interface Frame {
  readonly kind: number;
  readonly output: number;
  readonly payload: Uint8Array;
}

/** The sender did something that the protocol does not know. */
export class BrokenProtocol extends Error {}

const headBytes = 8;
const textBytesMax = 1024 * 1024;
const memoryBytesMin = 64 * 1024;
/** Memory for a large frame is taken as its bytes come, so a lie about a length costs no more than this. */
const growthBytesMin = 8 * 1024 * 1024;

/**
 * Reads frames until the end, one at a time: the next is read when `onFrame` has resolved, which is the back-pressure.
 * Throws BrokenProtocol for a frame that is too long, before memory is taken for it, and for one that is cut off.
 */
export async function readFrames(source: ByteSource, messageBytesMax: number, onFrame: (frame: Frame) => Promise<void>): Promise<void> {
  const head = Buffer.allocUnsafe(headBytes);
  let memory = new Uint8Array(memoryBytesMin);
  for (;;) {
    const filled = await source.fill(head);
    if (filled === 0) return;
    if (filled < headBytes) throw new BrokenProtocol("the data ended within the head of a frame");
    const kind = head.readUInt8(4);
    const length = head.readUInt32LE(0);
    const lengthMax = kind === frameKinds.message ? messageBytesMax : textBytesMax;
    if (length > lengthMax) throw new BrokenProtocol(`a frame of kind ${kind} has ${length} bytes, and ${lengthMax} is the most`);
    const output = head.readUInt16LE(6);
    memory = await readPayload(source, length, memory);
    await onFrame({ kind, output, payload: memory.subarray(0, length) });
  }
}

/** Fills the memory, or larger memory if it is too small, and returns it. One memory for all frames: new pages cost more than reading. */
async function readPayload(source: ByteSource, length: number, given: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  let memory = given;
  let filled = 0;
  for (;;) {
    const wanted = Math.min(length, memory.byteLength);
    filled += await source.fill(memory.subarray(filled, wanted));
    if (filled < wanted) throw new BrokenProtocol("the data ended within a frame");
    if (filled === length) return memory;
    const grown = new Uint8Array(Math.min(roundUp(length), Math.max(growthBytesMin, memory.byteLength * 2)));
    grown.set(memory.subarray(0, filled));
    memory = grown;
  }
}

/** Frames of one output are of much the same length, so a little more serves them all. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / memoryBytesMin + 1) * memoryBytesMin;
}
