import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import { dialects, type DialectName } from "./dialect.ts";
import { encodeStream } from "./encode.ts";
import { sliceBytes, type Answer, type Question } from "./slices.ts";
import { TextBuffer } from "./text-buffer.ts";

interface Part {
  readonly out: TextBuffer;
  readonly stream: ArrayBuffer;
  readonly slices: Generator<number>;
}

/** The one that is under way. */
let part: Part | undefined;

parentPort?.on("message", (question: Question) => {
  const answer = answerTo(question);
  parentPort?.postMessage(answer, "slice" in answer ? [answer.slice] : []);
});

function answerTo(question: Question): Answer {
  try {
    if (question.kind === "count") return { count: countRows(question.path, question.dialect) };
    if (question.kind === "encode") part = begin(question);
    if (part === undefined) throw new Error("no part was begun");
    return nextSlice(part, question.buffer);
  } catch (error) {
    part = undefined;
    const known = error instanceof TerminalFailure;
    return { failure: { code: known ? error.code : "SINK_ENCODING", message: messageOf(error), hint: known ? error.hint : undefined } };
  }
}

function begin({ dialect, rowEnd, stream, bytes }: Extract<Question, { kind: "encode" }>): Part {
  const out = new TextBuffer(0);
  const slices = encodeStream(new Uint8Array(stream, 0, bytes), { dialect: dialects[dialect], rowEnd, out, sliceBytes });
  return { out, stream, slices };
}

function nextSlice({ out, stream, slices }: Part, buffer: ArrayBuffer): Answer {
  out.bytes = Buffer.from(buffer);
  out.at = 0;
  const { value: rows = 0 } = slices.next();
  const isLast = out.at < sliceBytes;
  const answer = { slice: out.bytes.buffer, bytes: out.at, rows, isLast };
  out.bytes = Buffer.alloc(0);
  if (isLast) {
    part = undefined;
    // Gives its pages back at once; the garbage collector may come much later.
    stream.transfer(0);
  }
  return answer;
}

/** From the disk, which is what a reader will see. */
function countRows(path: string, dialect: DialectName): number | null {
  const counter = dialects[dialect].rowCounter();
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) counter.add(buffer.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return counter.rows();
}
