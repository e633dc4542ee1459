import type { Pool, PoolClient } from "pg";

/** A connection that is held for a while. One that is `broken` ends instead of going back to the pool. */
export interface HeldClient {
  readonly client: PoolClient;
  broken: Error | undefined;
}

/** Runs `work` on one connection, and gives it back whatever happens. */
export async function holdClient<T>(pool: Pool, work: (held: HeldClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  const held: HeldClient = { client, broken: undefined };
  // A connection that breaks fails its query; unheard, the event beside it would end the process.
  const onError = (error: Error): void => void (held.broken = error);
  client.on("error", onError);
  try {
    return await work(held);
  } finally {
    client.off("error", onError);
    client.release(held.broken);
  }
}

/** The same where the connection ends with work that fails, and with it what that has left open: its transaction, locks, temporary tables. */
export function withOwnClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  return holdClient(pool, async (held) => {
    try {
      return await work(held.client);
    } catch (error) {
      const reason = held.broken ?? error;
      held.broken ??= new Error("the work on this connection failed");
      throw reason;
    }
  });
}
