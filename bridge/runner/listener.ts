import { randomBytes } from "node:crypto";
import { Context, Reply, Router } from "zeromq";
import { messageOf, WrongUse } from "../../domain/failure.ts";
import type { Log } from "../../domain/log.ts";
import type { PluginPool } from "../pool.ts";
import type { ConnectedRunner } from "./connected.ts";
import { isProof, isRunnerKey, type KeyPair, publicKeyOf } from "./keys.ts";
import { beatMs, decode, type Hello, kinds, messageBytesMax, silenceMsMax, window } from "./message.ts";
import { type JobLink, runRemotely } from "./remote-job.ts";
import { createSender } from "./sender.ts";
import type { TrustedRunners } from "./trusted-runners.ts";

/** A place on a runner, for one run; behind it, the runner's own pool. */
export interface RunnerLease extends Pick<PluginPool, "run"> {
  readonly runner: string;
  release(): void;
}

/** The runners that have connected to this worker. */
export interface Runners {
  /** `tcp://…`, with the port that was taken. */
  readonly address: string;
  /** A place on a runner of that name, or null where none is free for so long. Rejects with the signal's reason. */
  lease(name: string, options: { readonly signal: AbortSignal; readonly waitMsMax: number }): Promise<RunnerLease | null>;
  connected(): readonly ConnectedRunner[];
  close(): Promise<void>;
}

export interface RunnersOptions {
  /** `tcp://ADDRESS:PORT`; `*` for a port takes any. */
  readonly listen: string;
  readonly keys: KeyPair;
  readonly trusted: () => TrustedRunners;
  readonly log: Log;
  readonly onChange?: (connected: readonly ConnectedRunner[]) => void;
}

interface Session {
  readonly id: Buffer;
  readonly hello: Hello;
  readonly challenge: Buffer;
  /** What its key is trusted as; undefined until it has shown that it has the key. */
  name?: string;
  seenAt: number;
  running: number;
  readonly jobs: Map<string, { readonly onMessage: (kind: string, payload: Buffer) => void; readonly onLost: () => void }>;
}

/**
 * Listens for runners. ZeroMQ's CURVE encrypts, and lets in trusted keys only; then each one proves which of these keys is its own, because the
 * library doesn't say. Throws WrongUse where the address can't be listened on.
 */
export async function listenForRunners(options: RunnersOptions): Promise<Runners> {
  const { keys, trusted, log } = options;
  const context = new Context();
  const gate = new Reply({ context, linger: 0 });
  await gate.bind("inproc://zeromq.zap.01");
  void admit(gate, trusted, log);
  const router = new Router({
    context,
    linger: 0,
    mandatory: true,
    maxMessageSize: messageBytesMax,
    receiveHighWaterMark: 16 * window,
    sendHighWaterMark: 0,
    // Nothing ever has to wait; otherwise what is for a runner that has gone would wait until another one comes.
    sendTimeout: 0,
    curveServer: true,
    curvePublicKey: keys.z85.publicKey,
    curveSecretKey: keys.z85.secretKey,
    zapDomain: "casparian",
  });
  try {
    await router.bind(options.listen);
  } catch (error) {
    router.close();
    gate.close();
    throw new WrongUse(
      `runners can't be listened for on ${options.listen}: ${messageOf(error)}`,
      "Set [runners] listen to a free tcp://ADDRESS:PORT",
    );
  }
  const sessions = new Map<string, Session>();
  const waiting = new Set<() => void>();
  const send = createSender(router);

  const changed = () => {
    options.onChange?.(connected());
    for (const wake of waiting) wake();
  };
  const lose = (session: Session, why: string) => {
    if (!sessions.delete(session.id.toString("hex"))) return;
    if (session.name !== undefined) log.warn(`runner ${session.name} has gone: ${why}`, { host: session.hello.host });
    for (const { onLost } of session.jobs.values()) onLost();
    changed();
  };
  const say = async (session: Session, kind: string, job: string, payload: Uint8Array = empty): Promise<void> => {
    // EHOSTUNREACH: nobody is connected under this number any more.
    await send([session.id, kind, job, payload]).catch(() => lose(session, "its connection has ended"));
  };
  router.events.on("disconnect", () => {
    for (const session of sessions.values()) void say(session, kinds.beat, "");
  });
  const beating = setInterval(() => {
    for (const session of sessions.values()) {
      if (Date.now() - session.seenAt > silenceMsMax) lose(session, `it has been silent for ${silenceMsMax / 1000} s`);
      else void say(session, kinds.beat, "");
    }
  }, beatMs).unref();

  function meet(id: Buffer, payload: Buffer): void {
    const hello = decode(payload) as Hello;
    if (!isRunnerKey(hello.publicKey)) return;
    const session: Session = { id, hello, challenge: randomBytes(32), seenAt: Date.now(), running: 0, jobs: new Map() };
    sessions.set(id.toString("hex"), session);
    void say(session, kinds.challenge, "", session.challenge);
  }

  function welcome(session: Session, proof: Buffer): void {
    const { publicKey, host, slots } = session.hello;
    const name = trusted().get(publicKey);
    if (name === undefined || !isProof(keys, publicKey, session.challenge, proof)) return lose(session, "it has not the key that it says");
    session.name = name;
    log.info(`runner ${name} is connected`, { host, slots });
    void say(session, kinds.welcome, "");
    changed();
  }

  function take(id: Buffer, kind: string, job: string, payload: Buffer): void {
    const session = sessions.get(id.toString("hex"));
    if (kind === kinds.hello) return session === undefined ? meet(id, payload) : undefined;
    if (session === undefined) return;
    session.seenAt = Date.now();
    if (kind === kinds.proof && session.name === undefined) welcome(session, payload);
    else if (session.name !== undefined) session.jobs.get(job)?.onMessage(kind, payload);
  }

  void receiveAll(router, take, log);

  function connected(): readonly ConnectedRunner[] {
    return [...sessions.values()].flatMap(({ name, hello: { host, publicKey, slots }, running }) =>
      name === undefined ? [] : [{ name, host, publicKey, slots, running }],
    );
  }

  function tryLease(name: string): RunnerLease | null {
    const fit = [...sessions.values()].filter(
      (session) => session.name === name && session.running < session.hello.slots && trusted().get(session.hello.publicKey) === name,
    );
    const [session] = fit.toSorted((a, b) => a.running / a.hello.slots - b.running / b.hello.slots);
    if (session === undefined) return null;
    session.running += 1;
    let released = false;
    return {
      runner: name,
      run: (request, handlers) => runRemotely(linkOf(session, name), request, handlers),
      release() {
        if (released) return;
        released = true;
        session.running -= 1;
        for (const wake of waiting) wake();
      },
    };
  }

  function linkOf(session: Session, runner: string): JobLink {
    return {
      runner,
      send: (kind, job, payload) => say(session, kind, job, payload),
      listen(job, onMessage, onLost) {
        session.jobs.set(job, { onMessage, onLost });
        if (!sessions.has(session.id.toString("hex"))) queueMicrotask(onLost);
        return () => session.jobs.delete(job);
      },
    };
  }

  async function lease(name: string, { signal, waitMsMax }: { readonly signal: AbortSignal; readonly waitMsMax: number }) {
    const until = Date.now() + waitMsMax;
    for (;;) {
      signal.throwIfAborted();
      const found = tryLease(name);
      if (found !== null || Date.now() >= until) return found;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, Math.max(1, until - Date.now()));
        signal.addEventListener("abort", done);
        waiting.add(done);
      });
    }
  }

  return {
    address: router.lastEndpoint ?? options.listen,
    lease,
    connected,
    async close() {
      clearInterval(beating);
      for (const session of sessions.values()) lose(session, "this worker stops");
      router.close();
      gate.close();
    },
  };
}

const empty = new Uint8Array(0);

/** Answers ZeroMQ's question whether a key may come in. Source: https://rfc.zeromq.org/spec/27/ */
async function admit(gate: Reply, trusted: () => TrustedRunners, log: Log): Promise<void> {
  try {
    for await (const [version, request, , address, , mechanism, key] of gate) {
      const publicKey = mechanism?.toString() === "CURVE" && key !== undefined ? publicKeyOf(key) : undefined;
      const known = publicKey !== undefined && isTrusted(trusted, publicKey, log);
      if (!known)
        log.warn("a runner was turned away, whose key is not trusted here", { address: String(address), key: publicKey ?? "none" });
      await gate.send([version!, request!, known ? "200" : "400", known ? "OK" : "the key is not trusted", "", ""]);
    }
  } catch (error) {
    if (!gate.closed) log.error("no runner can be let in any more", { reason: messageOf(error) });
  }
}

function isTrusted(trusted: () => TrustedRunners, publicKey: string, log: Log): boolean {
  try {
    return trusted().has(publicKey);
  } catch (error) {
    log.error("whose runners are trusted can't be read", { reason: messageOf(error) });
    return false;
  }
}

async function receiveAll(router: Router, take: (id: Buffer, kind: string, job: string, payload: Buffer) => void, log: Log): Promise<void> {
  while (!router.closed) {
    try {
      const [id, kind, job, payload] = await router.receive();
      if (id !== undefined && payload !== undefined) take(id, String(kind), String(job), payload);
    } catch (error) {
      if (!router.closed) log.warn("a runner said what can't be understood", { reason: messageOf(error) });
    }
  }
}
