import type { PluginHandlers } from "./received.ts";

export interface Clock {
  /** The same handlers, their time being measured. */
  readonly handlers: PluginHandlers;
  readonly busy: () => boolean;
  /** Calls once when that many seconds have passed outside of the handlers. */
  limit(seconds: number, onLimit: () => void): { clear(): void };
}

/** The plugin's limit is on its own time: a slow sink, for which it has to wait, is not its fault. */
export function createClock(handlers: PluginHandlers): Clock {
  const began = performance.now();
  let handledMs = 0;
  let handlingSince: number | undefined;
  const measured = async (work: Promise<void>) => {
    handlingSince = performance.now();
    try {
      await work;
    } finally {
      handledMs += performance.now() - handlingSince;
      handlingSince = undefined;
    }
  };
  const ownMs = () => {
    const now = performance.now();
    return now - began - handledMs - (handlingSince === undefined ? 0 : now - handlingSince);
  };
  return {
    handlers: {
      open: (output, schema) => measured(handlers.open(output, schema)),
      message: (output, message) => measured(handlers.message(output, message)),
    },
    busy: () => handlingSince !== undefined,
    limit: (seconds, onLimit) => {
      let timer: NodeJS.Timeout;
      const check = () => {
        const leftMs = seconds * 1000 - ownMs();
        if (leftMs <= 0) onLimit();
        // A timer can't be set for more than 24 days.
        else timer = setTimeout(check, Math.min(leftMs + 1, 2 ** 31 - 1));
      };
      check();
      return { clear: () => clearTimeout(timer) };
    },
  };
}
