import type { TransportName } from "../../domain/transport.ts";

/** A frame as the plugin's side would write it; `length` where it is to lie. */
export function frame(kind: number, output: number, payload: Uint8Array | string, length?: number): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(length ?? bytes.byteLength, 0);
  head.writeUInt8(kind, 4);
  head.writeUInt16LE(output, 6);
  return Buffer.concat([head, bytes]);
}

/** The input of the plugin forges_frames: these bytes in the form that the transport carries them in. */
export function forgery(transport: TransportName, bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return transport === "unix" ? hex : Buffer.concat([messageHead(bytes.byteLength), bytes]).toString("hex");
}

/** Of a long message of ZeroMQ. */
export function messageHead(length: number): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt8(2, 0);
  head.writeBigUInt64BE(BigInt(length), 1);
  return head;
}
