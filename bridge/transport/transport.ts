/** Bytes to be taken in pieces of any length; while nobody takes them, the sender blocks. */
export interface ByteSource {
  /** Resolves with the count of bytes filled in, fewer than asked for only at the end. Called once at a time. */
  fill(target: Uint8Array): Promise<number>;
  destroy(): void;
}

export type TextUse = "stdout" | "stderr" | "log";

/**
 * How the streams of a job come from the plugin's process to Node. Node connects to the warm parent's listener, once for each stream, and leads
 * in with the job's token. The plugin's process inherits the connected descriptors, so it needs no right to connect to anything, and whoever
 * does not know the token is turned away.
 *
 * What holds for each: bytes come in their order, all of them, up to the moment in which the sender ended, in whatever way; a sender that is
 * ahead blocks, and meanwhile what is under way takes a few megabytes at most on either side. A connection that fails is one that ends.
 */
export interface Transport {
  /** The data. */
  connectBytes(path: string, token: string): ByteSource;
  /** Text: every piece as it comes. Resolves at the end. */
  connectText(path: string, token: string, use: TextUse, onBytes: (bytes: Buffer) => void): Promise<void>;
}
