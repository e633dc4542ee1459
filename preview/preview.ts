import { extname } from "node:path";
import { fileTypeFromBuffer } from "file-type";
import { WrongUse } from "../domain/failure.ts";
import { readArrowFile, readParquet, type ColumnarContent } from "./columnar.ts";
import { decodeText, type Encoding } from "./encoding.ts";
import { findDialect } from "./dialect.ts";
import { readFixedWidth, type FixedWidth } from "./fixed-width.ts";
import { readJson, whyNoJson, type JsonContent } from "./json-text.ts";
import { knownBytes, knownText, type KnownFormat } from "./known.ts";
import { readSample, unzipSample, type Sample } from "./sample.ts";
import { readTextTable, type TextTable } from "./text-table.ts";
import { readWorkbook, type Workbook } from "./workbook.ts";
import { readXml, type XmlContent } from "./xml-text.ts";
import { openZip, type ZipMember } from "./zip.ts";

/** What a file is, as far as its beginning tells. */
export interface Preview {
  readonly path: string;
  readonly sizeBytes: number;
  /** What was looked at: of the file, or of the member or what gzip holds. */
  readonly sample: { readonly bytes: number; readonly isWhole: boolean };
  /** What the content is packed in. */
  readonly packed: { readonly as: "gzip" } | { readonly as: "zip"; readonly member: string; readonly members: readonly ZipMember[] } | null;
  readonly text: TextFacts | null;
  readonly content: Content;
  readonly known: KnownFormat | null;
  /** What is odd, in sentences. */
  readonly notices: readonly string[];
}

export interface TextFacts {
  readonly encoding: Encoding;
  readonly lineEnds: { readonly crlf: number; readonly lf: number; readonly cr: number };
  readonly longestLine: number;
}

export type Content =
  | { readonly kind: "empty" }
  | TextTable
  | JsonContent
  | XmlContent
  | FixedWidth
  | Workbook
  | ColumnarContent
  | LinesContent
  | { readonly kind: "binary"; readonly what: string | null; readonly begins: string };

/** Text without a form that is known here. */
export interface LinesContent {
  readonly kind: "lines";
  readonly rows: number;
  readonly first: readonly string[];
  readonly notices: readonly string[];
}

export interface PreviewOptions {
  readonly bytesMax: number;
  readonly rowsShown: number;
  /** Of a zip file: this member; its first file unless given. */
  readonly member?: string | undefined;
}

/** Looks at a file, without changing or running anything. Throws WrongUse for what can't be read. */
export async function previewFile(path: string, options: PreviewOptions): Promise<Preview> {
  const sample = await readSample(path, options.bytesMax);
  const base = { path, sizeBytes: sample.sizeBytes ?? 0 };
  const isZip =
    sample.bytes.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004")) || sample.bytes.subarray(0, 4).equals(Buffer.from("PK\u0005\u0006"));
  if (options.member !== undefined && !isZip) throw new WrongUse(`${path} is no zip file, so it has no member ${options.member}`);
  if (isZip) return { ...base, ...(await previewZip(path, sample, options)) };
  if (sample.bytes[0] === 0x1f && sample.bytes[1] === 0x8b) {
    const { damage, ...inner } = await unzipSample(sample, options.bytesMax);
    const seen = await look(inner, path.replace(/\.gz$/i, ""), options, null);
    const notices = damage === null ? [] : [`gzip stops in the middle: ${damage}`];
    return { ...base, ...seen, packed: { as: "gzip" }, notices: [...notices, ...seen.notices] };
  }
  return { ...base, ...(await look(sample, path, options, path)), packed: null };
}

type Seen = Omit<Preview, "path" | "sizeBytes" | "packed">;

async function previewZip(path: string, sample: Sample, options: PreviewOptions): Promise<Seen & Pick<Preview, "packed">> {
  const zip = await openZip(path);
  try {
    const names = zip.members.map(({ name }) => name);
    if (names.includes("xl/workbook.xml") && options.member === undefined) {
      const content = await readWorkbook(zip);
      return { sample: sizeOf(sample), packed: null, text: null, content, known: null, notices: [] };
    }
    const member = options.member ?? names[0];
    if (member === undefined)
      return {
        sample: sizeOf(sample),
        packed: null,
        text: null,
        content: { kind: "empty" },
        known: null,
        notices: ["the zip file has no member"],
      };
    const inner = await look(await zip.read(member, options.bytesMax), member, options, null);
    return { ...inner, packed: { as: "zip", member, members: zip.members } };
  } finally {
    zip.close();
  }
}

/** `file`: where the content lies by itself, so that it can be read beyond the sample. */
async function look(sample: Sample, name: string, options: PreviewOptions, file: string | null): Promise<Seen> {
  const size = sizeOf(sample);
  const { bytes, isWhole } = sample;
  if (bytes.length === 0) return { sample: size, text: null, content: { kind: "empty" }, known: null, notices: [] };
  if (!isText(decodeText(bytes.subarray(0, headBytes), isWhole && bytes.length <= headBytes).text)) {
    const content = await lookAtBinary(bytes, options, file);
    return { sample: size, text: null, content, known: knownBytes(bytes), notices: [] };
  }
  const { text, encoding } = decodeText(bytes, isWhole);
  const controls = countControls(text);
  const lineEnds = countLineEnds(text);
  const lines = text.split(/\r\n|\n|\r/);
  const longestLine = lines.reduce((longest, line) => Math.max(longest, line.length), 0);
  const content = lookAtText(text, lines, sample, extname(name).slice(1).toLowerCase(), options);
  const kinds = Object.values(lineEnds).filter((count) => count > 0).length;
  const notices = [
    ...(controls.nulls === 0
      ? []
      : [
          `${controls.nulls === 1 ? "a NUL character stands" : `${controls.nulls} NUL characters stand`} in the text, first in line ${controls.firstNull}; databases refuse them`,
        ]),
    ...(text.includes("\ufffd") && encoding.sure === "certain"
      ? ["some letters are U+FFFD: they were lost before this file was written"]
      : []),
    ...(kinds < 2 ? [] : [`lines end in several ways: ${lineEnds.crlf} with CR LF, ${lineEnds.lf} with LF, ${lineEnds.cr} with CR`]),
    ...("notices" in content ? content.notices : []),
  ];
  return { sample: size, text: { encoding, lineEnds, longestLine }, content, known: knownText(text), notices };
}

function lookAtText(text: string, lines: readonly string[], { isWhole }: Sample, ending: string, options: PreviewOptions): Content {
  const { rowsShown } = options;
  if (text.trim() === "") return { kind: "empty" };
  const structured = readJson(text, { isWhole, rowsShown }) ?? readXml(text);
  if (structured !== null) return structured;
  const whole = isWhole ? lines : lines.slice(0, -1);
  const noJson = whyNoJson(text, ending === "json");
  if (noJson !== null) return linesOf(whole, rowsShown, [noJson]);
  const isTable = ["csv", "tsv", "psv", "tab"].includes(ending);
  const isKnown = knownText(text) !== null;
  const dialect = isKnown && !isTable ? null : findDialect(text, isWhole, ending);
  if (dialect !== null) return readTextTable(text, dialect, { isWhole, rowsShown });
  // A single column has no delimiter to show.
  if (isTable)
    return readTextTable(text, { delimiter: ending === "tsv" ? "\t" : ",", quote: '"', consistency: 1, fields: 1 }, { isWhole, rowsShown });
  return (isKnown ? null : readFixedWidth(whole, rowsShown)) ?? linesOf(whole, rowsShown, []);
}

function linesOf(lines: readonly string[], rowsShown: number, notices: readonly string[]): LinesContent {
  const rows = lines.filter((line, index) => line !== "" || index < lines.length - 1);
  return { kind: "lines", rows: rows.length, first: rows.slice(0, rowsShown), notices };
}

async function lookAtBinary(bytes: Buffer, { rowsShown }: PreviewOptions, file: string | null): Promise<Content> {
  const found = await fileTypeFromBuffer(bytes);
  if (found?.ext === "parquet" && file !== null) return readParquet(file, rowsShown);
  if (found?.ext === "arrow") return readArrowFile(bytes, rowsShown);
  const begins = [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return { kind: "binary", what: found === undefined ? null : `${found.ext} (${found.mime})`, begins };
}

function sizeOf({ bytes, isWhole }: Sample): Preview["sample"] {
  return { bytes: bytes.length, isWhole };
}

const headBytes = 64 * 1024;

function isText(head: string): boolean {
  const { nulls, others } = countControls(head);
  return nulls + others <= head.length * 0.02;
}

/** Control characters that text doesn't have; the two that divide fields in old formats are no oddity. */
function countControls(text: string): { readonly nulls: number; readonly others: number; readonly firstNull: number } {
  let [nulls, others, firstNull, line] = [0, 0, 0, 1];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 10) line += 1;
    if (code >= 32 && code !== 127 && code !== 0xfffd) continue;
    if (code === 0) {
      nulls += 1;
      firstNull ||= line;
    } else if (![1, 9, 10, 11, 12, 13, 26, 27, 28, 29, 30, 31].includes(code)) others += 1;
  }
  return { nulls, others, firstNull };
}

function countLineEnds(text: string): TextFacts["lineEnds"] {
  const crlf = text.match(/\r\n/g)?.length ?? 0;
  return { crlf, lf: (text.match(/\n/g)?.length ?? 0) - crlf, cr: (text.match(/\r/g)?.length ?? 0) - crlf };
}
