/** Memory in which rows are laid out for `COPY … (format binary)`, all numbers big-endian. */
export class CopyBuffer {
  bytes: Buffer;
  view: DataView;
  /** Bytes that a writer may use behind what it has asked for: what the columns of fixed size take in a row. */
  readonly slack: number;

  constructor(bytes: number, slack: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes + slack);
    this.view = viewOf(this.bytes);
    this.slack = slack;
  }

  /** Makes room for so many bytes from `at` on; what lies before stays. `bytes` and `view` may be others afterwards. */
  reserve(at: number, bytes: number): void {
    const needed = at + bytes + this.slack;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, at);
    this.bytes = larger;
    this.view = viewOf(larger);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes the value of a row, or null, with its length before it; returns where the next one begins. */
export type WriteValue = (row: number, at: number) => number;

/** A value that the column's type in Postgres can't hold. */
export class ValueRefused extends Error {}
