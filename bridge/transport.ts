import { connect, type Socket } from "node:net";

/**
 * The streams of a job over Unix sockets: Node connects to the warm parent's socket once for each stream and leads in with the job's token
 * and one letter. The plugin's process inherits the connected descriptors, so it needs no right to connect to anything.
 *
 * Node is the side that connects because only then it may read into memory of its own: 1.7 GB/s, against 0.9 GB/s on an accepted socket.
 */

/** Bytes to be taken in pieces of any length; while nobody takes them, the sender blocks. */
export interface ByteSource {
  /** Resolves with the count of bytes filled in, fewer than asked for only at the end. Called once at a time. */
  fill(target: Uint8Array): Promise<number>;
  destroy(): void;
}

export type StreamUse = "data" | "stdout" | "stderr" | "log";

const letters: Readonly<Record<StreamUse, string>> = { data: "d", stdout: "o", stderr: "e", log: "l" };
/** About what one read of a Unix socket returns. */
const readBytes = 256 * 1024;

/** For the data: fast, and read only as fast as it is taken. A connection that fails is one that ends. */
export function connectBytes(path: string, token: string, use: StreamUse): ByteSource {
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  let held = buffer.subarray(0, 0);
  let wanted: { readonly target: Uint8Array; filled: number; readonly resolve: (filled: number) => void } | undefined;
  let ended = false;

  const socket = connect({
    path,
    onread: {
      buffer,
      callback: (count) => {
        held = buffer.subarray(0, count);
        serve();
        return held.byteLength === 0;
      },
    },
  });
  const end = () => {
    ended = true;
    serve();
  };
  socket.on("end", end).on("close", end).on("error", end);
  socket.write(token + letters[use]);

  function serve(): void {
    if (wanted === undefined) return;
    const count = Math.min(held.byteLength, wanted.target.byteLength - wanted.filled);
    wanted.target.set(held.subarray(0, count), wanted.filled);
    wanted.filled += count;
    held = held.subarray(count);
    if (wanted.filled < wanted.target.byteLength && !ended) return;
    const { resolve, filled } = wanted;
    wanted = undefined;
    resolve(filled);
  }

  return {
    fill: (target) =>
      new Promise((resolve) => {
        wanted = { target, filled: 0, resolve };
        const paused = held.byteLength > 0;
        serve();
        if (paused && held.byteLength === 0) socket.resume();
      }),
    destroy: () => socket.destroy(),
  };
}

/** For text: every piece as it comes. Resolves at the end. */
export function connectText(path: string, token: string, use: StreamUse, onBytes: (bytes: Buffer) => void): Promise<void> {
  const socket: Socket = connect({ path });
  socket.write(token + letters[use]);
  socket.on("data", onBytes);
  return new Promise((resolve) => {
    socket.on("error", () => {}).on("close", () => resolve());
  });
}
