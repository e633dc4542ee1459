import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TransientFailure } from "../../domain/failure.ts";
import type { PluginEnvironment } from "../../domain/plugin.ts";
import { blameEnvironment } from "../environment-health.ts";
import { frameKinds } from "../frames.ts";
import type { PluginPool } from "../pool.ts";
import type { PluginHandlers } from "../received.ts";
import { removeFolder } from "../scratch.ts";
import { decode, type Done, encode, type JobSpec, kinds, pieceBytesMax, sendFailure, window } from "./message.ts";
import { type Allowance, createAllowance, createPieceSource, type PieceSource } from "./pieces.ts";

/** With what a runner runs plugins. */
export interface RunnerMeans {
  readonly pool: PluginPool;
  /** Builds the environment if need be; its interpreter. */
  readonly pythonOf: (environment: PluginEnvironment, signal: AbortSignal) => Promise<string>;
  /** This process's alone. Inputs lie below `inputs` in it, so that all of them are in reach of one warm parent. */
  readonly folder: string;
}

export interface ServedJob {
  receive(kind: string, payload: Buffer): void;
  /** Resolves when nothing of the job is left, and the worker has been told. */
  readonly ended: Promise<void>;
}

type Say = (kind: string, payload?: Uint8Array) => Promise<void>;

/** Runs one plugin on the file that the worker sends, and sends frames, as a warm parent's fork would, and the end. */
export function runForWorker(spec: JobSpec, means: RunnerMeans, sessionOver: AbortSignal, say: Say): ServedJob {
  const cancel = new AbortController();
  const signal = AbortSignal.any([cancel.signal, sessionOver]);
  const grants = createAllowance(window);
  let taken = 0;
  const file = createPieceSource(() => {
    taken += 1;
    if (taken % (window / 2) === 0) void say(kinds.want, encode(window / 2));
  });
  signal.addEventListener("abort", () => file.fail(signal.reason));

  async function work(): Promise<void> {
    let done: Done;
    try {
      done = { report: await run(spec, means, file, createFrames(grants, say, signal), signal) };
    } catch (error) {
      done = { failure: sendFailure(error) };
    }
    await say(kinds.done, encode(done));
  }

  return {
    ended: work(),
    receive(kind, payload) {
      if (kind === kinds.file) file.add(payload);
      else if (kind === kinds.filed) file.end();
      else if (kind === kinds.grant) grants.add(decode(payload) as number);
      else if (kind === kinds.cancel) cancel.abort(new Error("the worker has cancelled the job"));
    },
  };
}

async function run(spec: JobSpec, means: RunnerMeans, file: PieceSource, frames: Frames, signal: AbortSignal) {
  const { jobId, attempt, plugin, limits, environment, grants } = spec;
  const inputs = join(means.folder, "inputs");
  await mkdir(inputs, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(inputs, "job-"));
  try {
    const inputPath = join(folder, ...checked(spec.inputSegments));
    await saveInput(file, inputPath, spec, signal);
    const python = await means.pythonOf(environment, signal);
    const scratchDir = join(means.folder, "scratch", folder.slice(inputs.length + 1));
    const request = { jobId, attempt, plugin, limits, python, inputPath, inputRoot: inputs, scratchDir, grants, signal };
    const report = await means.pool.run(request, frames.handlers).catch(async (error: unknown) => {
      throw await blameEnvironment(python, error);
    });
    await frames.end(report.outputs, report.spent);
    const { logs, peakMemoryBytes, seconds, spent } = report;
    return { logs, peakMemoryBytes, seconds, spent };
  } finally {
    await removeFolder(folder);
  }
}

/** Names of folders and of a file, and no way out. */
function checked(segments: readonly string[]): readonly string[] {
  const bad = segments.length === 0 || segments.some((name) => name === "" || name === "." || name === ".." || /[/\0]/.test(name));
  if (bad) throw new TransientFailure({ code: "RUNNER_INPUT_REFUSED", message: `${JSON.stringify(segments)} is no path below a folder` });
  return segments;
}

/** Throws TransientFailure RUNNER_INPUT_DIFFERS where what came is not the content that the job is about. */
async function saveInput(source: PieceSource, path: string, spec: JobSpec, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  try {
    const piece = Buffer.allocUnsafeSlow(pieceBytesMax);
    for (;;) {
      const filled = await source.fill(piece);
      signal.throwIfAborted();
      hash.update(piece.subarray(0, filled));
      await file.write(piece, 0, filled);
      if (filled < piece.byteLength) break;
    }
  } finally {
    await file.close();
  }
  const came = hash.digest("hex");
  if (came === spec.contentHash) return;
  throw new TransientFailure({
    code: "RUNNER_INPUT_DIFFERS",
    message: `the file that came has the hash ${came}, and the job is about ${spec.contentHash}`,
    hint: "It was changed while it was sent; the job looks at it again.",
  });
}

interface Frames {
  readonly handlers: PluginHandlers;
  end(outputs: readonly { readonly output: string; readonly rowsSent: number }[], seconds: unknown): Promise<void>;
}

/** The same frames as those of `python/casparian_bridge/channel.py`, in pieces of their stream. */
function createFrames(grants: Allowance, say: Say, signal: AbortSignal): Frames {
  const numbers = new Map<string, number>();
  async function send(kind: number, output: number, payload: Uint8Array): Promise<void> {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(payload.byteLength, 0);
    head.writeUInt8(kind, 4);
    head.writeUInt16LE(output, 6);
    // New memory for each: the library keeps it until it is sent, and the payload's is used again.
    const first = Buffer.concat([head, payload.subarray(0, pieceBytesMax - 8)]);
    await grants.take(signal);
    await say(kinds.data, first);
    for (let at = pieceBytesMax - 8; at < payload.byteLength; at += pieceBytesMax) {
      await grants.take(signal);
      await say(kinds.data, Buffer.from(payload.subarray(at, at + pieceBytesMax)));
    }
  }
  return {
    handlers: {
      async open(output, schema) {
        const number = numbers.size;
        numbers.set(output, number);
        await send(frameKinds.open, number, Buffer.from(output));
        await send(frameKinds.message, number, schema.bytes);
      },
      message: (output, message) => send(frameKinds.message, numbers.get(output) ?? 0, message.bytes),
    },
    end(outputs, seconds) {
      const rows = Object.fromEntries(outputs.map(({ output, rowsSent }) => [String(numbers.get(output)), rowsSent]));
      return send(frameKinds.end, 0, encode({ rows, seconds }));
    },
  };
}
