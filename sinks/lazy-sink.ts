import type { Sink } from "./sink.ts";

/** A sink whose code, and the client that it needs, is loaded when it is first used. */
export function lazySink(load: () => Promise<Sink & { close(): Promise<void> }>): Sink & { close(): Promise<void> } {
  let loaded: ReturnType<typeof load> | undefined;
  const get = () => (loaded ??= load());
  return {
    open: async (request) => (await get()).open(request),
    commit: async (staged, replaced) => (await get()).commit(staged, replaced),
    discard: async (staged) => (await get()).discard(staged),
    isCommitted: async (staged) => (await get()).isCommitted(staged),
    sweep: async (uri, isAlive) => (await get()).sweep(uri, isAlive),
    close: async () => (await loaded)?.close(),
  };
}
