import { setTimeout as pause } from "node:timers/promises";
import type { Database, Queryable } from "../db/pool.ts";
import { beginScan } from "../db/scan.ts";
import { TransientFailure } from "../domain/failure.ts";

/**
 * Runs a scan's work on one connection. Everything that the work writes goes over it, and so does the lock on the source's scanning:
 * nothing is written once the lock is lost. When the work fails the connection ends, and with it its transaction, its lock and its
 * temporary tables.
 */
export async function withScanConnection<T>(db: Database, work: (connection: Queryable) => Promise<T>): Promise<T> {
  const client = await db.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => void (broken = error);
  client.on("error", onError);
  try {
    return await work(client);
  } catch (error) {
    const reason = broken ?? error;
    broken ??= new Error("a scan on this connection failed");
    throw reason;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

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
