/** A piece of what a job said. Text holds no NUL, which Postgres can't store, and ends with a whole line where it can. */
export interface LogChunk {
  readonly stream: "stdout" | "stderr" | "log" | "traceback" | "notice";
  readonly at: Date;
  readonly text: string;
}

export type TextStream = "stdout" | "stderr" | "log";

export interface LogCollector {
  add(stream: TextStream, bytes: Buffer): void;
  /** How many bytes have come, kept or not. */
  bytesOf(stream: TextStream): number;
  /** In the order in which they came. */
  chunks(): readonly LogChunk[];
}

interface Piece {
  readonly order: number;
  readonly at: Date;
  readonly bytes: Buffer;
}

interface Kept {
  bytes: number;
  headBytes: number;
  tailBytes: number;
  readonly head: Piece[];
  readonly tail: Piece[];
}

interface Ordered {
  readonly order: number;
  readonly chunk: LogChunk;
}

const chunkLettersMax = 64 * 1024;
const chunkMsMax = 1000;

/** Keeps the first and the last half of `logBytes` of each stream; what is left out between is counted and said in a notice. */
export function createLogCollector(logBytes: number): LogCollector {
  const half = Math.max(1, Math.floor(logBytes / 2));
  const streams: Readonly<Record<TextStream, Kept>> = { stdout: nothingKept(), stderr: nothingKept(), log: nothingKept() };
  let order = 0;

  function add(stream: TextStream, bytes: Buffer): void {
    const kept = streams[stream];
    const at = new Date();
    kept.bytes += bytes.byteLength;
    const toHead = Math.min(bytes.byteLength, half - kept.headBytes);
    if (toHead > 0) kept.head.push({ order: (order += 1), at, bytes: bytes.subarray(0, toHead) });
    kept.headBytes += toHead;
    if (toHead === bytes.byteLength) return;
    kept.tail.push({ order: (order += 1), at, bytes: bytes.subarray(toHead) });
    kept.tailBytes += bytes.byteLength - toHead;
    // Whole pieces only: the rest is cut when the chunks are asked for.
    while (kept.tailBytes - (kept.tail[0]?.bytes.byteLength ?? 0) >= half) kept.tailBytes -= kept.tail.shift()?.bytes.byteLength ?? 0;
  }

  return {
    add,
    bytesOf: (stream) => streams[stream].bytes,
    chunks: () => {
      const all = (["stdout", "stderr", "log"] as const).flatMap((stream) => chunksOf(stream, streams[stream], half));
      return merge(all.toSorted((a, b) => a.order - b.order).map(({ chunk }) => chunk));
    },
  };
}

function nothingKept(): Kept {
  return { bytes: 0, headBytes: 0, tailBytes: 0, head: [], tail: [] };
}

function chunksOf(stream: TextStream, kept: Kept, half: number): readonly Ordered[] {
  const [first, ...others] = kept.tail;
  if (first === undefined) return decode(stream, kept.head);
  const left = kept.bytes - kept.headBytes - Math.min(kept.tailBytes, half);
  if (left === 0) return decode(stream, [...kept.head, ...kept.tail]);
  const begun = { ...first, bytes: withoutHalfLetter(first.bytes.subarray(Math.max(0, kept.tailBytes - half))) };
  const notice: LogChunk = { stream: "notice", at: first.at, text: `${left} bytes of ${stream} were left out here\n` };
  return [...decode(stream, kept.head), { order: first.order, chunk: notice }, ...decode(stream, [begun, ...others])];
}

/** A cut may go through a letter of several bytes. */
function withoutHalfLetter(bytes: Buffer): Buffer {
  const begin = bytes.subarray(0, 4).findIndex((byte) => (byte & 0xc0) !== 0x80);
  return bytes.subarray(Math.max(0, begin));
}

/** Text by line: a line that came in pieces belongs to the piece in which it ended. */
function decode(stream: TextStream, pieces: readonly Piece[]): readonly Ordered[] {
  const decoder = new TextDecoder();
  let begun = "";
  return pieces.flatMap(({ order, at, bytes }, index) => {
    const last = index === pieces.length - 1;
    const text = begun + decoder.decode(bytes, { stream: !last }).replaceAll("\0", "�");
    const whole = last || text.length > chunkLettersMax ? text.length : text.lastIndexOf("\n") + 1;
    begun = text.slice(whole);
    return whole === 0 ? [] : [{ order, chunk: { stream, at, text: text.slice(0, whole) } }];
  });
}

function merge(chunks: readonly LogChunk[]): readonly LogChunk[] {
  const merged: LogChunk[] = [];
  for (const chunk of chunks) {
    const last = merged.at(-1);
    const joins =
      last?.stream === chunk.stream &&
      chunk.at.getTime() - last.at.getTime() < chunkMsMax &&
      last.text.length + chunk.text.length <= chunkLettersMax &&
      chunk.stream !== "notice";
    if (joins) merged[merged.length - 1] = { ...last, text: last.text + chunk.text };
    else merged.push(chunk);
  }
  return merged;
}
