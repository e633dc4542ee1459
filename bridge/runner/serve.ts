import { once } from "node:events";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { Dealer } from "zeromq";
import { messageOf } from "../../domain/failure.ts";
import type { Log } from "../../domain/log.ts";
import { type KeyPair, z85Of } from "./keys.ts";
import { beatMs, decode, encode, type Hello, type JobSpec, kinds, messageBytesMax, silenceMsMax, window } from "./message.ts";
import { createSender } from "./sender.ts";
import { runForWorker, type RunnerMeans, type ServedJob } from "./served-job.ts";

export interface RunnerOptions extends RunnerMeans {
  /** `tcp://HOST:PORT` of the worker, and its public key. */
  readonly connect: string;
  readonly workerKey: string;
  readonly keys: KeyPair;
  /** Plugins at once. */
  readonly slots: number;
  readonly log: Log;
  readonly onWelcome?: () => void;
}

const againMs = 1_000;
const handshakeMsMax = 10_000;

/**
 * Runs plugins for a worker until the signal is aborted. One connection is one session: when it is cut, or the worker is silent, every job of it is
 * ended with all that the plugin has started, and the worker has the job run anew. Then it connects again, for as long as it takes.
 */
export async function serveWorker(options: RunnerOptions, signal: AbortSignal): Promise<void> {
  let told = "";
  while (!signal.aborted) {
    const why = await session(options, signal);
    if (signal.aborted) return;
    if (why !== told) options.log.warn(`not connected to the worker at ${options.connect}: ${why}`, { again: "each second" });
    told = why;
    await pause(againMs, undefined, { signal }).catch(() => {});
  }
}

/** Resolves with the reason why it ended, when nothing of its jobs is left. */
async function session(options: RunnerOptions, signal: AbortSignal): Promise<string> {
  const { keys, log } = options;
  const socket = new Dealer({
    curveServerKey: z85Of(options.workerKey),
    curvePublicKey: keys.z85.publicKey,
    curveSecretKey: keys.z85.secretKey,
    maxMessageSize: messageBytesMax,
    receiveHighWaterMark: 16 * window,
    sendHighWaterMark: 0,
    handshakeInterval: handshakeMsMax,
    // The session ends with its connection.
    reconnectInterval: 2 ** 31 - 1,
    linger: 0,
  });
  const over = new AbortController();
  const end = (why: string) => over.abort(new Error(why));
  const stop = () => end("it was stopped");
  signal.addEventListener("abort", stop);
  socket.events.on("disconnect", () => end("the connection has ended"));
  socket.events.on("close", () => end("nobody listens there"));
  socket.events.on("connect:retry", () => end("nobody listens there"));
  socket.events.on("handshake:error:auth", () =>
    end(`it does not trust this runner. Where the worker runs: casparian runner trust NAME ${keys.publicKey}`),
  );
  socket.events.on("handshake:error:protocol", () => end("it has another key, or is no casparian worker"));
  socket.events.on("handshake:error:other", () => end("it has another key, or does not answer"));
  const send = createSender(socket);
  const say = async (kind: string, job = "", payload: Uint8Array = empty): Promise<void> =>
    send([kind, job, payload]).catch((error: unknown) => end(messageOf(error)));
  const jobs = new Map<string, ServedJob>();
  let heardAt = Date.now();
  const beating = setInterval(() => {
    if (Date.now() - heardAt > silenceMsMax) end("it does not answer");
    else void say(kinds.beat);
  }, beatMs);

  function take(kind: string, job: string, payload: Buffer): void {
    heardAt = Date.now();
    if (kind === kinds.challenge) void say(kinds.proof, "", keys.prove(options.workerKey, payload));
    else if (kind === kinds.welcome) {
      log.info("connected to the worker", { address: options.connect });
      options.onWelcome?.();
    } else if (kind === kinds.job) {
      const served = runForWorker(decode(payload) as JobSpec, options, over.signal, (what, told) => say(what, job, told));
      jobs.set(job, served);
      void served.ended.then(() => jobs.delete(job));
    } else jobs.get(job)?.receive(kind, payload);
  }

  try {
    socket.connect(options.connect);
    const hello: Hello = { publicKey: keys.publicKey, slots: options.slots, host: hostname() };
    void say(kinds.hello, "", encode(hello));
    void receiveAll(socket, take, (error) => end(messageOf(error)));
    if (!over.signal.aborted) await once(over.signal, "abort");
  } finally {
    clearInterval(beating);
    signal.removeEventListener("abort", stop);
    await Promise.all([...jobs.values()].map(({ ended }) => ended));
    socket.close();
  }
  return messageOf(over.signal.reason);
}

const empty = new Uint8Array(0);

async function receiveAll(
  socket: Dealer,
  take: (kind: string, job: string, payload: Buffer) => void,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    for await (const [kind, job, payload] of socket) if (payload !== undefined) take(String(kind), String(job), payload);
  } catch (error) {
    onError(error);
  }
}
