import { isUtf8 } from "node:buffer";
import { analyse } from "chardet";

/** How the bytes of a text stand for letters. */
export interface Encoding {
  /** As Python calls it: `utf-8`, `utf-8-sig`, `utf-16`, `cp1252`. */
  readonly python: string;
  readonly name: string;
  /** `certain`: a byte order mark or bytes that hardly anything else has. `guess`: something else is possible. `mixed`: no one encoding fits. */
  readonly sure: "certain" | "guess" | "mixed";
  /** Why, in a sentence, with the bytes that say so. */
  readonly reason: string;
  readonly hasMark: boolean;
}

export interface DecodedText {
  readonly encoding: Encoding;
  readonly text: string;
}

/** What Python calls the encodings that a guess may come to, and what Node does. */
const names: Readonly<Record<string, readonly [python: string, decoder: string]>> = {
  "windows-1250": ["cp1250", "windows-1250"],
  "windows-1251": ["cp1251", "windows-1251"],
  "windows-1252": ["cp1252", "windows-1252"],
  "windows-1253": ["cp1253", "windows-1253"],
  "windows-1254": ["cp1254", "windows-1254"],
  "windows-1255": ["cp1255", "windows-1255"],
  "windows-1256": ["cp1256", "windows-1256"],
  "ISO-8859-2": ["iso8859-2", "iso-8859-2"],
  "ISO-8859-5": ["iso8859-5", "iso-8859-5"],
  "ISO-8859-6": ["iso8859-6", "iso-8859-6"],
  "ISO-8859-7": ["iso8859-7", "iso-8859-7"],
  "ISO-8859-8": ["iso8859-8", "iso-8859-8"],
  "KOI8-R": ["koi8-r", "koi8-r"],
  Shift_JIS: ["shift_jis", "shift_jis"],
  "EUC-JP": ["euc_jp", "euc-jp"],
  "EUC-KR": ["euc_kr", "euc-kr"],
  Big5: ["big5", "big5"],
  GB18030: ["gb18030", "gb18030"],
};

/** Reads bytes as text. A letter that the end of a sample cuts through is left out. */
export function decodeText(given: Buffer, isWhole: boolean): DecodedText {
  const marked = byMark(given) ?? byNulls(given);
  if (marked !== null) return marked;
  const bytes = isWhole ? given : withoutHalfLetter(given);
  if (isUtf8(bytes)) {
    const isAscii = !bytes.some((byte) => byte >= 0x80);
    const reason = isAscii ? "all bytes are ASCII, which UTF-8 and most others agree on" : "all bytes beyond ASCII are valid UTF-8";
    return { text: bytes.toString("utf8"), encoding: { python: "utf-8", name: "UTF-8", sure: "certain", reason, hasMark: false } };
  }
  const foreign = foreignBytes(bytes);
  // Whole letters of UTF-8 hardly come about in another encoding.
  return foreign.valid > foreign.count ? mixed(bytes, foreign) : guessed(bytes, foreign);
}

const marks: readonly (readonly [bytes: readonly number[], python: string, name: string, decoder: string])[] = [
  [[0xef, 0xbb, 0xbf], "utf-8-sig", "UTF-8", "utf-8"],
  [[0xff, 0xfe, 0, 0], "utf-32", "UTF-32 (little-endian)", ""],
  [[0, 0, 0xfe, 0xff], "utf-32", "UTF-32 (big-endian)", ""],
  [[0xff, 0xfe], "utf-16", "UTF-16 (little-endian)", "utf-16le"],
  [[0xfe, 0xff], "utf-16", "UTF-16 (big-endian)", "utf-16be"],
];

function byMark(bytes: Buffer): DecodedText | null {
  const found = marks.find(([mark]) => mark.every((byte, at) => bytes[at] === byte));
  if (found === undefined) return null;
  const [mark, python, name, decoder] = found;
  const reason = `it begins with the byte order mark ${hex(mark)}`;
  const text = decoder === "" ? utf32(bytes, mark[0] === 0xff) : new TextDecoder(decoder).decode(bytes);
  return { text, encoding: { python, name, sure: "certain", reason, hasMark: true } };
}

function utf32(bytes: Buffer, isLittle: boolean): string {
  const units = Array.from({ length: bytes.length >> 2 }, (_, at) => (isLittle ? bytes.readUInt32LE(at * 4) : bytes.readUInt32BE(at * 4)));
  return units.map((unit) => (unit > 0x10ffff || unit === 0xfeff ? "" : String.fromCodePoint(unit))).join("");
}

/** UTF-16 without a mark: nearly every second byte of Western text is zero. */
function byNulls(bytes: Buffer): DecodedText | null {
  const pairs = Math.min(bytes.length, 8192) >> 1;
  if (pairs < 4) return null;
  const nulls = (first: number): number =>
    Array.from({ length: pairs }, (_, pair) => bytes[2 * pair + first]).filter((byte) => byte === 0).length;
  const [even, odd] = [nulls(0), nulls(1)];
  const isLittle = odd > pairs * 0.6 && even < pairs * 0.1;
  if (!isLittle && !(even > pairs * 0.6 && odd < pairs * 0.1)) return null;
  const [python, name, decoder] = isLittle
    ? ["utf-16-le", "UTF-16 (little-endian)", "utf-16le"]
    : ["utf-16-be", "UTF-16 (big-endian)", "utf-16be"];
  const reason = `every second byte is zero (${hex([...bytes.subarray(0, 8)])} …), and there is no byte order mark`;
  return { text: new TextDecoder(decoder).decode(bytes), encoding: { python, name, sure: "certain", reason, hasMark: false } };
}

interface Foreign {
  /** Places where bytes are no UTF-8, and letters of UTF-8 beyond ASCII. */
  readonly count: number;
  readonly valid: number;
  /** The first place. */
  readonly at: number;
  readonly line: number;
}

function foreignBytes(bytes: Buffer): Foreign {
  let [count, valid, at, line] = [0, 0, -1, 1];
  for (let place = 0; place < bytes.length;) {
    const byte = bytes[place]!;
    if (at === -1 && byte === 0x0a) line += 1;
    const length = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
    const isLetter = length > 0 && (length === 1 || isUtf8(bytes.subarray(place, place + length)));
    if (isLetter && length > 1) valid += 1;
    if (!isLetter) {
      count += 1;
      if (at === -1) at = place;
    }
    place += isLetter ? length : 1;
  }
  return { count, valid, at, line };
}

function guessed(bytes: Buffer, foreign: Foreign): DecodedText {
  // chardet tells ISO-8859-1 where windows-1252's own letters are absent; it holds all others, too.
  const ranked = analyse(bytes).map(({ name }) => (/^ISO-8859-(1|9|15)$/.test(name) ? "windows-1252" : name));
  const known = [...new Set([...ranked, "windows-1252"])].filter((each) => names[each] !== undefined);
  const fitting = known.filter((each) => isPlausible(new TextDecoder(names[each]![1]).decode(bytes.subarray(0, plausibleBytes))));
  const [name = known[0]!, ...others] = fitting;
  const [codec, decoder] = names[name]!;
  // Python's cp1252 refuses five bytes, which Latin-1 has as control characters.
  const python = codec === "cp1252" && bytes.some((byte) => [0x81, 0x8d, 0x8f, 0x90, 0x9d].includes(byte)) ? "latin-1" : codec;
  const decode = new TextDecoder(decoder);
  const from = Math.max(0, foreign.at - 8);
  const around = decode
    .decode(bytes.subarray(from, foreign.at + 8))
    .replaceAll(/[\r\n\t]/g, " ")
    .trim();
  const also = others.length === 0 ? "" : `; ${others.slice(0, 2).join(" and ")} would fit, too, less likely`;
  const reason = `it is no UTF-8: byte ${hex([bytes[foreign.at]!])} at ${foreign.at} (line ${foreign.line}), read as in “${around}”${also}`;
  return { text: decode.decode(bytes), encoding: { python, name, sure: "guess", reason, hasMark: false } };
}

const plausibleBytes = 256 * 1024;

/** Text has neither letters that can't be read, nor control characters between ASCII and Latin-1, nor many of Japan's narrow letters. */
function isPlausible(text: string): boolean {
  const [narrow, foreign] = [text.match(/[\uff61-\uff9f]/g)?.length ?? 0, text.match(/[^\0-\x7f]/g)?.length ?? 0];
  return !/[\u0080-\u009f]/.test(text) && !text.slice(0, -1).includes("\ufffd") && narrow <= foreign * 0.2;
}

function mixed(bytes: Buffer, { count, valid, at, line }: Foreign): DecodedText {
  const lines = splitLines(bytes).map((each) => (isUtf8(each) ? each.toString("utf8") : new TextDecoder("windows-1252").decode(each)));
  const reason =
    `${valid} letters are UTF-8, and ${count === 1 ? "one byte is" : `${count} bytes are`} not, first ${hex([bytes[at]!])} at ${at} (line ${line}): ` +
    "the file was put together from several; lines that are no UTF-8 are shown as windows-1252";
  return { text: lines.join(""), encoding: { python: "utf-8", name: "UTF-8 and windows-1252", sure: "mixed", reason, hasMark: false } };
}

function splitLines(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0x0a, from);
    const to = end === -1 ? bytes.length : end + 1;
    lines.push(bytes.subarray(from, to));
    from = to;
  }
  return lines;
}

function withoutHalfLetter(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return bytes;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? bytes.subarray(0, bytes.length - back) : bytes;
    }
  }
  return bytes;
}

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");
}
