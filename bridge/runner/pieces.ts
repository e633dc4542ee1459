import type { ByteSource } from "../transport/transport.ts";

/** Pieces as they come, to be taken as one stream. No more come than were granted. */
export interface PieceSource extends ByteSource {
  add(piece: Buffer): void;
  end(): void;
  /** Whoever takes is told, after what has come before. */
  fail(error: unknown): void;
}

/** `onTaken` is told of each piece whose bytes have all been taken; its memory is given back. */
export function createPieceSource(onTaken: () => void): PieceSource {
  const pieces: Buffer[] = [];
  let at = 0;
  let over: { readonly error?: unknown } | undefined;
  let wake = () => {};

  function take(target: Uint8Array): number {
    const [piece] = pieces;
    if (piece === undefined) return 0;
    const count = Math.min(piece.byteLength - at, target.byteLength);
    target.set(piece.subarray(at, at + count));
    at += count;
    if (at === piece.byteLength) {
      pieces.shift();
      at = 0;
      releaseMemory(piece);
      onTaken();
    }
    return count;
  }

  return {
    add(piece) {
      if (over !== undefined || piece.byteLength === 0) return;
      pieces.push(piece);
      wake();
    },
    end() {
      over ??= {};
      wake();
    },
    fail(error) {
      over ??= { error };
      wake();
    },
    async fill(target) {
      let filled = 0;
      while (filled < target.byteLength) {
        const count = take(target.subarray(filled));
        filled += count;
        if (count > 0) continue;
        if (over?.error !== undefined) throw over.error;
        if (over !== undefined) break;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return filled;
    },
    destroy() {
      over ??= {};
      pieces.length = 0;
      wake();
    },
  };
}

/** How many may be sent. */
export interface Allowance {
  /** Resolves when one more may be sent. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  add(count: number): void;
}

export function createAllowance(first: number): Allowance {
  let left = first;
  let wake = () => {};
  return {
    async take(signal) {
      while (left === 0) {
        signal.throwIfAborted();
        const { promise, resolve } = Promise.withResolvers<void>();
        const go = () => resolve();
        wake = go;
        signal.addEventListener("abort", go);
        await promise;
        signal.removeEventListener("abort", go);
      }
      signal.throwIfAborted();
      left -= 1;
    },
    add(count) {
      left += count;
      wake();
    },
  };
}

/** The library gives memory of its own for longer messages; left to the collector, it runs all the time. */
export function releaseMemory(message: Buffer): void {
  if (message.byteLength > copiedBytesMax) (message.buffer as ArrayBuffer).transfer(0);
}

const copiedBytesMax = 4096;
