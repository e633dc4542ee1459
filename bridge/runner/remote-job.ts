import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { TransientFailure } from "../../domain/failure.ts";
import { protocolFailure } from "../failure.ts";
import { BrokenProtocol, readFrames } from "../frames.ts";
import { frameBytesMax, type PluginReport, type PluginRun } from "../job.ts";
import { createReceived, type PluginHandlers, type Received } from "../received.ts";
import { decode, type Done, encode, type JobSpec, kinds, pieceBytesMax, receiveDates, receiveFailure, window } from "./message.ts";
import { createAllowance, createPieceSource } from "./pieces.ts";

/** What of a session one job needs. */
export interface JobLink {
  readonly runner: string;
  send(kind: string, job: string, payload?: Uint8Array): Promise<void>;
  /** Messages of this job go here, until the returned function is called; `onLost` when the runner has gone. */
  listen(job: string, onMessage: (kind: string, payload: Buffer) => void, onLost: () => void): () => void;
}

/** How long a runner is waited for that was told to end a job; it kills the plugin within less. */
const obeyMsMax = 20_000;

/**
 * Runs a plugin on a runner: sends code, lock and the file's bytes, and takes frames as from a local process, with the same checks. Resolves, or
 * rejects, when the runner has said that nothing of the job is left, or has gone; then it ends the job by itself.
 * Rejects as a local run does, and with TransientFailure RUNNER_LOST.
 */
export async function runRemotely(link: JobLink, run: PluginRun, handlers: PluginHandlers): Promise<PluginReport> {
  const key = randomBytes(16).toString("hex");
  const began = performance.now();
  const over = new AbortController();
  const ended = Promise.withResolvers<Done>();
  // Nobody may be waiting when it comes.
  ended.promise.catch(() => {});
  const allowance = createAllowance(window);
  const received = createReceived(handlers);
  let [came, taken] = [0, 0];
  const data = createPieceSource(() => {
    taken += 1;
    if (taken % (window / 2) === 0) void link.send(kinds.grant, key, encode(window / 2));
  });
  const lose = () => {
    const lost = runnerLost(link.runner, run.plugin.name);
    data.fail(lost);
    ended.reject(lost);
    over.abort(lost);
  };
  const unlisten = link.listen(key, receive, lose);

  function receive(kind: string, payload: Buffer): void {
    if (kind === kinds.data) take(payload);
    else if (kind === kinds.want) allowance.add(decode(payload) as number);
    else if (kind === kinds.done) {
      data.end();
      ended.resolve(decode(payload) as Done);
      over.abort(new Error("the job has ended"));
    }
  }

  function take(piece: Buffer): void {
    came += 1;
    if (came - taken > window || piece.byteLength > pieceBytesMax) stop(new BrokenProtocol("more came than was asked for"));
    else data.add(piece);
  }

  let cause: { readonly error: unknown } | undefined;
  const stopped = Promise.withResolvers<void>();
  const stop = (error: unknown) => {
    if (cause !== undefined) return;
    cause = { error };
    over.abort(error);
    data.destroy();
    stopped.resolve();
    void link.send(kinds.cancel, key);
    setTimeout(() => ended.reject(error), obeyMsMax).unref();
  };
  const onAbort = () => stop(run.signal.reason);
  run.signal.addEventListener("abort", onAbort);
  try {
    run.signal.throwIfAborted();
    await link.send(kinds.job, key, encode(specOf(run)));
    const sending = sendFile(link, key, run.inputPath, allowance, over.signal).catch(
      (error: unknown) => over.signal.aborted || stop(error),
    );
    const frames = readFrames(data, frameBytesMax, (frame) => received.take(frame)).catch((error: unknown) => stop(error));
    const [done] = await Promise.all([ended.promise, Promise.race([frames, stopped.promise]), sending]).catch((error: unknown) => {
      throw cause === undefined ? error : cause.error;
    });
    return reportOf(done, cause, received, run, (performance.now() - began) / 1000);
  } finally {
    run.signal.removeEventListener("abort", onAbort);
    unlisten();
  }
}

function specOf(run: PluginRun): JobSpec {
  if (run.environment === undefined || run.contentHash === undefined) throw new Error("a runner needs a lock and the content's hash");
  const root = resolve(run.inputRoot ?? dirname(run.inputPath));
  const { jobId, attempt, plugin, environment, contentHash, limits, grants } = run;
  const inputSegments = relative(root, resolve(run.inputPath)).split(sep);
  return { jobId, attempt, plugin, environment, contentHash, limits, grants, inputSegments };
}

async function sendFile(
  link: JobLink,
  key: string,
  path: string,
  allowance: ReturnType<typeof createAllowance>,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path);
  try {
    for (;;) {
      await allowance.take(signal);
      // New memory for each: the library keeps it until it is sent.
      const piece = Buffer.allocUnsafeSlow(pieceBytesMax);
      const { bytesRead } = await file.read(piece, 0, pieceBytesMax);
      if (bytesRead === 0) break;
      await link.send(kinds.file, key, piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  await link.send(kinds.filed, key);
}

/** In the order of what explains the rest, as for a local run. */
function reportOf(
  done: Done,
  cause: { readonly error: unknown } | undefined,
  received: Received,
  run: PluginRun,
  seconds: number,
): PluginReport {
  const broken = cause?.error instanceof BrokenProtocol ? cause.error.message : undefined;
  if (cause !== undefined && broken === undefined) throw cause.error;
  if ("failure" in done && broken === undefined) throw receiveFailure(done.failure);
  if (broken !== undefined || !("report" in done) || !received.ended()) {
    const facts = { name: run.plugin.name, limits: run.limits, logs: [], peakMemoryBytes: 0, seconds };
    throw protocolFailure(broken ?? "it ended before it was done", facts);
  }
  return { ...receiveDates(done.report as Omit<PluginReport, "outputs"> & Record<string, unknown>), seconds, outputs: received.outputs() };
}

function runnerLost(runner: string, plugin: string): TransientFailure {
  return new TransientFailure({
    code: "RUNNER_LOST",
    message: `runner ${runner} has gone while it ran plugin ${plugin}`,
    hint: "The job is tried again as soon as a runner of that name is connected. casparian runner list shows who is",
  });
}
