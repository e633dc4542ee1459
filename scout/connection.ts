import { setTimeout as pause } from "node:timers/promises";
import type { Database, Queryable } from "../db/pool.ts";
import { lockScan, unlockScan } from "../db/scan.ts";
import { TransientFailure } from "../domain/failure.ts";

/** A process that was killed loses its lock when Postgres notices, which is soon. Milliseconds. */
const lockWaitMs = 3_000;
const lockPauseMs = 50;

/**
 * Runs a scan's work on one connection that holds the lock on the source's scanning. Everything that the work writes goes over this
 * connection, so nothing is written once the lock is lost. When the work fails the connection ends, and with it its transaction, its lock and its
 * temporary tables. Throws TransientFailure SCAN_UNDER_WAY while another process scans the source.
 */
export async function withScanConnection<T>(
  db: Database,
  source: { readonly id: string; readonly name: string },
  signal: AbortSignal,
  work: (connection: Queryable) => Promise<T>,
): Promise<T> {
  const client = await db.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => void (broken = error);
  client.on("error", onError);
  try {
    await lock(client, source, signal);
    const result = await work(client);
    await unlockScan(client, source.id);
    return result;
  } catch (error) {
    const reason = broken ?? error;
    broken ??= new Error("a scan on this connection failed");
    throw reason;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

async function lock(client: Queryable, source: { readonly id: string; readonly name: string }, signal: AbortSignal): Promise<void> {
  const start = performance.now();
  while (!(await lockScan(client, source.id))) {
    if (performance.now() - start > lockWaitMs) {
      throw new TransientFailure({
        code: "SCAN_UNDER_WAY",
        message: `another process is scanning source ${source.name}`,
        hint: "Wait for it to end; two scans of one source never run at once",
      });
    }
    await pause(lockPauseMs, undefined, { signal });
  }
}

/** One transaction on the scan's connection that commits without waiting for the disk: were it lost, the next scan would find the same. */
export async function notedTogether<T>(connection: Queryable, work: () => Promise<T>): Promise<T> {
  await connection.query("begin; set local synchronous_commit = off");
  try {
    const result = await work();
    await connection.query("commit");
    return result;
  } catch (error) {
    await connection.query("rollback").catch(() => {});
    throw error;
  }
}
