import type { PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";

/** A `COPY … from stdin` under way. */
export interface Copy {
  /** Resolves when the bytes may be used again. Throws what the server says. */
  send(bytes: Uint8Array): Promise<void>;
  /** Ends it; returns the rows that the server took. */
  end(): Promise<number>;
}

/** Smaller ones are copied, because the driver doesn't say when it is done with them. It does where they fill its buffer, of 64 KB at most. */
const ownBytesMin = 128 * 1024;

export function startCopy(client: PoolClient, sql: string): Copy {
  const stream = client.query(copyFrom(sql));
  const failure = Promise.withResolvers<never>();
  // Failures come also between two calls; the next call tells them.
  failure.promise.catch(() => {});
  stream.on("error", failure.reject);
  // The driver doesn't tell the stream of a connection that broke while it waited for room.
  const onEnd = (): void => failure.reject(new Error("Connection terminated unexpectedly"));
  client.once("end", onEnd);
  stream.on("close", () => client.off("end", onEnd));
  return {
    send(bytes) {
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.write(bytes.length < ownBytesMin ? Buffer.from(bytes) : bytes, (error) => (error ? failure.reject(error) : resolve()));
      return Promise.race([promise, failure.promise]);
    },
    async end() {
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.end(resolve);
      await Promise.race([promise, failure.promise]);
      return stream.rowCount;
    },
  };
}
