import { lineageColumns } from "../../domain/lineage.ts";
import type { Dialect, RowCounter } from "./dialect.ts";
import { lineageTexts } from "./lineage-text.ts";
import { TextBuffer } from "./text-buffer.ts";

const quote = 0x22;
const lineFeed = 0x0a;

/** Bytes for which a value is put in quotation marks: the marks themselves, commas and line ends. */
const special = new Uint8Array(256);
for (const byte of [quote, 0x2c, lineFeed, 0x0d]) special[byte] = 1;
/** So long values are copied at once. */
const longBytes = 64;

/**
 * RFC 4180 but for the line end, a line feed as other programs for Unix write it. Nothing between commas is null, `""` the empty string.
 * What looks like a formula of a spreadsheet is a value like others.
 */
export const csv: Dialect = {
  header: (names) => `${[...names, ...lineageColumns].map(headerField).join(",")}\n`,
  before: (names) => names.map((_, index) => (index === 0 ? "" : ",")),
  rowEnd: (lineage) => `,${lineageTexts(lineage).map(field).join(",")}\n`,
  null: "",
  quotesTexts: false,
  jsonIsString: true,
  putString(out, bytes, from, to) {
    out.reserve(2 * (to - from) + 2);
    const start = out.at;
    if (to - from > longBytes) {
      if (putLong(out, bytes, from, to)) return;
    } else {
      let found = from === to ? 1 : 0;
      const target = out.bytes;
      let at = start;
      for (let index = from; index < to; index += 1) {
        const byte = bytes[index]!;
        found |= special[byte]!;
        target[at++] = byte;
      }
      out.at = at;
      if (found === 0) return;
    }
    out.at = start;
    putQuoted(out, bytes, from, to);
  },
  endsWithoutRows: (end) => end.endsWith(`,${lineageColumns.join(",")}\n`),
  rowCounter,
};

/** False where the value needs quotation marks. */
function putLong(out: TextBuffer, bytes: Uint8Array, from: number, to: number): boolean {
  for (let index = from; index < to; index += 1) if (special[bytes[index]!] === 1) return false;
  out.bytes.set(bytes.subarray(from, to), out.at);
  out.at += to - from;
  return true;
}

function putQuoted(out: TextBuffer, bytes: Uint8Array, from: number, to: number): void {
  const target = out.bytes;
  let at = out.at;
  target[at++] = quote;
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index]!;
    if (byte === quote) target[at++] = quote;
    target[at++] = byte;
  }
  target[at++] = quote;
  out.at = at;
}

function field(text: string): string {
  const bytes = Buffer.from(text);
  const out = new TextBuffer(2 * bytes.length + 2);
  csv.putString(out, bytes, 0, bytes.length);
  return out.bytes.toString("utf8", 0, out.at);
}

/** A first name that begins with a byte order mark would be taken for the file's. */
function headerField(name: string): string {
  return name.startsWith("\uFEFF") && field(name) === name ? `"${name}"` : field(name);
}

/** Line feeds outside of quotation marks, without the header's. A mark within quotation marks is two, which leaves them as they were. */
function rowCounter(): RowCounter {
  let lines = 0;
  let quoted = 0;
  let last = lineFeed;
  return {
    add(bytes) {
      for (let index = 0; index < bytes.length; index += 1) {
        const byte = bytes[index]!;
        if (byte === quote) quoted ^= 1;
        else if (byte === lineFeed) lines += 1 - quoted;
      }
      last = bytes.at(-1) ?? last;
    },
    rows: () => (last === lineFeed && quoted === 0 && lines > 0 ? lines - 1 : null),
  };
}
