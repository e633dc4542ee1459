import { lineageColumns } from "../../domain/lineage.ts";
import type { Dialect, RowCounter } from "./dialect.ts";
import { lineageTexts } from "./lineage-text.ts";
import type { TextBuffer } from "./text-buffer.ts";

const quote = 0x22;
const lineFeed = 0x0a;

/** What stands for a byte in a string, where that is not the byte itself. */
const escapes: (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  const text = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return byte < 0x80 && text.length > 1 ? Buffer.from(text, "latin1") : undefined;
});
const special = Uint8Array.from(escapes, (escape) => (escape === undefined ? 0 : 1));
/** So long values are copied at once. */
const longBytes = 64;
const escapeBytesMax = 6;

/** One JSON object a line, in UTF-8, with the plugin's columns in their order, then the lineage columns. */
export const jsonLines: Dialect = {
  header: () => "",
  before: (names) => names.map((name, index) => `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`),
  rowEnd(lineage) {
    const texts = lineageTexts(lineage);
    const members = lineageColumns.map((name, index) => {
      const isNumber = name === "_cf_job_id" || name === "_cf_file_version_id";
      return `,${JSON.stringify(name)}:${isNumber ? texts[index] : JSON.stringify(texts[index])}`;
    });
    return `${members.join("")}}\n`;
  },
  null: "null",
  quotesTexts: true,
  jsonIsString: false,
  putString(out, bytes, from, to) {
    out.reserve(to - from + 2);
    const start = out.at;
    const target = out.bytes;
    target[out.at++] = quote;
    let found = 0;
    if (to - from > longBytes) {
      for (let index = from; index < to && found === 0; index += 1) found |= special[bytes[index]!]!;
      if (found === 0) {
        target.set(bytes.subarray(from, to), out.at);
        out.at += to - from;
      }
    } else {
      let at = out.at;
      for (let index = from; index < to; index += 1) {
        const byte = bytes[index]!;
        found |= special[byte]!;
        target[at++] = byte;
      }
      out.at = at;
    }
    if (found !== 0) {
      out.at = start + 1;
      putEscaped(out, bytes, from, to);
    }
    out.putByte(quote);
  },
  endsWithoutRows: (end) => end === "",
  rowCounter,
};

function putEscaped(out: TextBuffer, bytes: Uint8Array, from: number, to: number): void {
  out.reserve(escapeBytesMax * (to - from));
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index]!;
    const escape = escapes[byte];
    if (escape === undefined) out.bytes[out.at++] = byte;
    else out.put(escape);
  }
}

/** Line feeds: those in strings are written as `\n`. */
function rowCounter(): RowCounter {
  let lines = 0;
  let last = lineFeed;
  return {
    add(bytes) {
      for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) lines += 1;
      last = bytes.at(-1) ?? last;
    },
    rows: () => (last === lineFeed ? lines : null),
  };
}
