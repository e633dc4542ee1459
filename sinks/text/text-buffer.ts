/** Bytes of text that grow; what is asked for by `reserve` can be written at `at` without a further look. */
export class TextBuffer {
  bytes: Buffer<ArrayBuffer>;
  at = 0;

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  reserve(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.at + bytes));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  /** Short ones: a loop costs less than a call of `set`. */
  put(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    if (bytes.length > 32) {
      this.bytes.set(bytes, this.at);
      this.at += bytes.length;
      return;
    }
    for (let index = 0; index < bytes.length; index += 1) this.bytes[this.at++] = bytes[index]!;
  }

  putByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.at++] = byte;
  }

  putText(text: string): void {
    this.reserve(3 * text.length);
    this.at += this.bytes.write(text, this.at, "utf8");
  }

  putAscii(text: string): void {
    this.reserve(text.length);
    for (let index = 0; index < text.length; index += 1) this.bytes[this.at++] = text.charCodeAt(index);
  }
}
