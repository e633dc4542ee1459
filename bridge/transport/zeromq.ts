import { Dealer } from "zeromq";
import type { ByteSource, Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";

/**
 * The data over ZeroMQ (ipc), as messages that are cut from the stream of frames. What a plugin writes to stdout, stderr and its log are bytes on
 * descriptors that any code of its may have, so they stay on the Unix sockets that they are.
 *
 * `python/casparian_bridge/zmtp.py` is the other side. It speaks ZeroMQ's protocol itself, without its library: that one sends from a thread
 * of its own, which would share the plugin's process, and Landlock and system call filters hold for threads.
 */
export const zeromqTransport: Transport = { connectBytes, connectText: unixTransport.connectText };

/** Of one message; a longer one is refused by its head, before memory is taken. As in zmtp.py. */
const messageBytesMax = 256 * 1024;
/** Messages that may be sent before they are taken; half as many are granted at a time. As in zmtp.py. */
const window = 16;
/** Who sends more than it was granted is held back by the kernel. */
const messagesMax = 2 * window;
/** Without reconnecting at all the library would drop what has come and was not taken. */
const reconnectMs = 2 ** 31 - 1;
const handshakeMsMax = 10_000;

function connectBytes(path: string, token: string): ByteSource {
  const socket = new Dealer({
    plainUsername: "data",
    plainPassword: token,
    maxMessageSize: messageBytesMax,
    receiveHighWaterMark: messagesMax,
    sendHighWaterMark: 0,
    handshakeInterval: handshakeMsMax,
    reconnectInterval: reconnectMs,
    linger: 0,
  });
  let held: Buffer | undefined;
  let at = 0;
  let taken = 0;
  let over = false;

  const close = () => {
    over = true;
    if (!socket.closed) socket.close();
  };
  /** What has come before is taken still. */
  const end = () => {
    if (over) return;
    over = true;
    socket.receiveTimeout = 0;
    // Whoever waits for a message has none to wait for, but for one whose signal is under way.
    setImmediate(() => setImmediate(() => waiting && close()));
  };
  let waiting = false;
  for (const event of ["disconnect", "close", "connect:retry", "handshake:error:protocol", "handshake:error:auth"] as const)
    socket.events.on(event, end);
  socket.events.on("handshake:error:other", end);
  socket.connect(`ipc://${path}`);

  async function next(): Promise<boolean> {
    release();
    if (socket.closed) return false;
    try {
      waiting = true;
      [held] = (await socket.receive()) as [Buffer];
    } catch {
      close();
      return false;
    } finally {
      waiting = false;
    }
    at = 0;
    taken += 1;
    if (taken % (window / 2) === 0 && !over) void socket.send(grant).catch(end);
    return true;
  }

  /** Gives the message's memory back now: the collector comes too late for gigabytes in pieces, and often, at half of all time. */
  function release(): void {
    if (held !== undefined && held.byteLength > copiedBytesMax) (held.buffer as ArrayBuffer).transfer(0);
    held = undefined;
  }

  async function fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.byteLength) {
      if ((held === undefined || at === held.byteLength) && !(await next())) break;
      const count = Math.min(held!.byteLength - at, target.byteLength - filled);
      target.set(held!.subarray(at, at + count), filled);
      at += count;
      filled += count;
    }
    return filled;
  }

  return { fill, destroy: close };
}

const grant = Buffer.from([window / 2]);
/** The library gives memory of its own for longer messages; shorter ones may share Node's. */
const copiedBytesMax = 4096;
