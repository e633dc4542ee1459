/**
 * One encapsulated message of the Arrow IPC streaming format, as it goes from a plugin to a sink: continuation marker,
 * metadata length, flatbuffer metadata and body, padded to 8 bytes. Nobody between the two looks inside the body.
 * Source: Apache Arrow columnar format, "Encapsulated message format".
 */
export interface ArrowMessage {
  readonly kind: "schema" | "dictionary" | "batch";
  /** Rows in a record batch; 0 for the other kinds. */
  readonly rows: number;
  readonly bytes: Uint8Array;
}
