import { createHash, hash as hashOnce } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { restOfTickMs } from "../domain/clock-resolution.ts";
import { messageOf, TransientFailure } from "../domain/failure.ts";
import { sameStat, type FileStat } from "../domain/file-version.ts";
import { errorCode, isGone } from "../domain/system-error.ts";
import type { Copies, Copy } from "../snapshots/copies.ts";
import { toFileStat } from "./stat.ts";

export interface HashTask {
  /** Absolute. */
  readonly path: string;
  /** The file as it was seen; another stat means that it must settle again. */
  readonly stat: FileStat;
}

export type HashResult =
  /** SHA-256 of exactly the bytes that the task's stat stands for, hex; and why they could not be copied, where that was asked for. */
  | { readonly outcome: "HASHED"; readonly hash: string; readonly copyFailure?: string | undefined }
  /** It changed, went or became something else before its last byte was read. */
  | { readonly outcome: "CHANGED"; readonly stat: FileStat }
  | { readonly outcome: "UNREADABLE"; readonly message: string };

/** Bytes. */
const pieceBytes = 1024 * 1024;
const progressBytes = 16 * pieceBytes;

/**
 * Hashes files one after the other, synchronously: meant for worker threads. One that changed within the present tick of the clock is
 * read when the tick is over. Yields how many bytes more were read, about every 16 MiB, and returns one result for each task. With
 * `copies` each content is copied in the same pass.
 */
export function* hashTasks(tasks: readonly HashTask[], copies?: Copies): Generator<number, readonly HashResult[]> {
  const results: HashResult[] = [];
  let unreported = 0;
  for (const task of tasks) {
    const restMs = restOfTickMs(task.stat, Date.now());
    if (restMs > 0) Atomics.wait(neverNotified, 0, 0, restMs);
    const reading = readTask(task, copies);
    let step = reading.next();
    while (step.done !== true) {
      unreported += step.value;
      if (unreported >= progressBytes) {
        yield unreported;
        unreported = 0;
      }
      step = reading.next();
    }
    results.push(step.value);
  }
  if (unreported > 0) yield unreported;
  if (copies === undefined) return results;
  const failures = copies.settle();
  return results.map((result) => (result.outcome === "HASHED" ? { ...result, copyFailure: failures.get(result.hash) } : result));
}

const neverNotified = new Int32Array(new SharedArrayBuffer(4));

/**
 * Hashes one file without a thread, in turns of the event loop. Throws TransientFailure FILE_CHANGING when it changed meanwhile, and
 * the signal's reason when aborted.
 */
export async function hashFile(path: string, signal: AbortSignal): Promise<{ readonly hash: string; readonly stat: FileStat }> {
  const stat = toFileStat(lstatSync(path, { bigint: true }));
  const restMs = restOfTickMs(stat, Date.now());
  if (restMs > 0) await setTimeout(restMs);
  const reading = readTask({ path, stat });
  let step = reading.next();
  while (step.done !== true) {
    await setImmediate();
    signal.throwIfAborted();
    step = reading.next();
  }
  if (step.value.outcome === "HASHED") return { hash: step.value.hash, stat };
  throw new TransientFailure({
    code: "FILE_CHANGING",
    message: step.value.outcome === "CHANGED" ? `${path} changed while it was read` : `${path} can't be read: ${step.value.message}`,
    hint: "It is looked at again by the next scan",
  });
}

/** Yields the size of each piece read. Every comparison is with the stat of the task, so that the hash is of one state of the file. */
function* readTask(task: HashTask, copies?: Copies): Generator<number, HashResult> {
  let fd: number | undefined;
  try {
    const before = toFileStat(lstatSync(task.path, { bigint: true }));
    if (!sameStat(before, task.stat)) return { outcome: "CHANGED", stat: before };
    // Another thing may have taken the name by now: a link is not followed, and a pipe does not block.
    fd = openSync(task.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    using copy = copies?.begin(fd, task.stat.sizeBytes);
    const hash = yield* readAll(copy?.source ?? fd, task.stat.sizeBytes, copy);
    const after = toFileStat(fstatSync(fd, { bigint: true }));
    if (hash === null || !sameStat(after, task.stat)) return { outcome: "CHANGED", stat: after };
    copy?.keep(hash);
    return { outcome: "HASHED", hash };
  } catch (error) {
    // A name that is gone, or a link now, waits under its old stat until a scan sees what has become of it.
    if (isGone(error) || errorCode(error) === "ELOOP") return { outcome: "CHANGED", stat: task.stat };
    return { outcome: "UNREADABLE", message: errorCode(error) || messageOf(error) };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Reads as many bytes as the file had; null when it ends before. That it has become longer shows in its stat. */
function* readAll(fd: number, sizeBytes: number, copy?: Copy): Generator<number, string | null> {
  const piece = Buffer.allocUnsafe(Math.min(sizeBytes, pieceBytes));
  if (sizeBytes <= pieceBytes) {
    const filled = fill(fd, piece);
    if (filled < sizeBytes) return null;
    copy?.add(piece);
    yield filled;
    return hashOnce("sha256", piece, "hex");
  }
  const hash = createHash("sha256");
  for (let total = 0; total < sizeBytes;) {
    const wanted = Math.min(pieceBytes, sizeBytes - total);
    const filled = fill(fd, piece.subarray(0, wanted));
    if (filled < wanted) return null;
    hash.update(piece.subarray(0, filled));
    copy?.add(piece.subarray(0, filled));
    total += filled;
    yield filled;
  }
  return hash.digest("hex");
}

/** A read may return less than was asked for without being at the end, on network shares above all. */
function fill(fd: number, buffer: Uint8Array): number {
  let filled = 0;
  while (filled < buffer.length) {
    const count = readSync(fd, buffer, filled, buffer.length - filled, null);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
