import type { FileStat } from "./file-version.ts";

/**
 * How long after a change of a file a further one surely gets another ctime. Before that both may leave the same stat, and nothing would
 * tell the bytes of one from those of the other ("racy git"). Kernels stamp files by a tick of 1 to 10 ms, Windows servers by one of 16 ms.
 * Milliseconds.
 */
const tickMs = 20;

/** The same where clocks count in seconds, or in steps of two as FAT's do: there every ctime is a whole second. Milliseconds. */
export const wholeSecondsMs = 2_000 + tickMs;

/**
 * How long to wait before the file is read, so that whatever is written from then on shows in its ctime. 0 where its times are older than
 * a tick, or lie so far ahead that the clock goes wrong and no waiting helps.
 */
export function restOfTickMs({ mtimeNs, ctimeNs }: FileStat, nowMs: number): number {
  const rests = [mtimeNs, ctimeNs].map((timeNs) => Number(timeNs / 1_000_000n) + tickMs - nowMs);
  return Math.max(0, ...rests.filter((rest) => rest <= 2 * tickMs));
}
