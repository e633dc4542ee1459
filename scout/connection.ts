import { setTimeout as pause } from "node:timers/promises";
import type { Queryable } from "../db/pool.ts";
import { beginScan } from "../db/scan.ts";
import { TransientFailure } from "../domain/failure.ts";

/** A process that was killed loses its lock when Postgres notices, which is soon. Milliseconds. */
const lockWaitMs = 3_000;
const lockPauseMs = 50;

/**
 * Takes the lock on the source's scanning, for which it waits a little, and begins a scan on record; returns the scan's id.
 * Throws TransientFailure SCAN_UNDER_WAY while another process scans the source.
 */
export async function beginAlone(
  connection: Queryable,
  source: { readonly id: string; readonly name: string },
  signal: AbortSignal,
): Promise<string> {
  const start = performance.now();
  for (;;) {
    const scanId = await beginScan(connection, source.id);
    if (scanId !== null) return scanId;
    if (performance.now() - start > lockWaitMs) {
      throw new TransientFailure({
        code: "SCAN_UNDER_WAY",
        message: `another process is scanning source ${source.name}`,
        hint: "Wait for it to end; two scans of one source never run at once",
      });
    }
    await pause(lockPauseMs);
    signal.throwIfAborted();
  }
}

/** One transaction on the scan's connection. */
export async function inTransaction<T>(connection: Queryable, work: () => Promise<T>, begin = "begin"): Promise<T> {
  await connection.query(begin);
  try {
    const result = await work();
    await connection.query("commit");
    return result;
  } catch (error) {
    await connection.query("rollback").catch(() => {});
    throw error;
  }
}

/** One that commits without waiting for the disk: were it lost, the next scan would find the same. */
export function notedTogether<T>(connection: Queryable, work: () => Promise<T>): Promise<T> {
  return inTransaction(connection, work, "begin; set local synchronous_commit = off");
}
