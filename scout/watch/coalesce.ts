import { hintsMax } from "../hints.ts";

/** A burst of events becomes one hint after so long a quiet, and after so long at the latest. Milliseconds. */
const quietMs = 20;
const burstMs = 200;
/** Characters of all paths of a hint; Temporal refuses messages of some megabytes. */
const hintLengthMax = 200_000;
/** A flood is a quarter of the events that Linux's queue holds by itself (16,384): from there on, some may be dropped. It has ended after so long a quiet. */
const floodEvents = 4_096;
const floodQuietMs = 1_000;

/** Makes few hints of many events, in bounded memory. */
export interface Coalescer {
  /** Something may have changed at this path; the empty one means everywhere. */
  add(path: string): void;
  addLater(path: string, afterMs: number): void;
  /** So many changes nobody knows where. */
  addUnnamed(changes: number): void;
  close(): void;
}

/** `onFlood` is called when a flood of events has ended: the kernel may have dropped some of them. */
export function coalesce(onHint: (paths: readonly string[] | null) => void, onFlood: () => void): Coalescer {
  let paths = new Set<string>();
  let since = 0;
  let flushing: NodeJS.Timeout | undefined;
  let closed = false;
  const later = new Set<NodeJS.Timeout>();
  const flood = noticeFloods(onFlood);
  return {
    add(path) {
      if (closed) return;
      flood.count(1);
      keep(path);
    },
    addLater(path, afterMs) {
      if (closed || later.size >= hintsMax) return;
      const pause = setTimeout(() => {
        later.delete(pause);
        keep(path);
      }, afterMs);
      later.add(pause);
    },
    addUnnamed(changes) {
      if (closed) return;
      flood.count(changes);
      keep("");
    },
    close() {
      closed = true;
      clearTimeout(flushing);
      flood.stop();
      for (const pause of later) clearTimeout(pause);
    },
  };

  function keep(path: string): void {
    const now = performance.now();
    if (paths.size === 0) since = now;
    // One more than the limit says "too many" and is enough.
    if (paths.size <= hintsMax) paths.add(path);
    clearTimeout(flushing);
    flushing = setTimeout(flush, Math.max(0, Math.min(quietMs, since + burstMs - now)));
  }

  function flush(): void {
    const taken = paths;
    paths = new Set();
    const length = [...taken].reduce((sum, path) => sum + path.length, 0);
    onHint(taken.size > hintsMax || length > hintLengthMax || taken.has("") ? null : [...taken]);
  }
}

function noticeFloods(onFlood: () => void): { readonly count: (changes: number) => void; readonly stop: () => void } {
  let events = 0;
  let last = 0;
  let waiting: NodeJS.Timeout | undefined;
  return {
    count(changes) {
      const now = performance.now();
      events = now - last > floodQuietMs ? changes : events + changes;
      last = now;
      if (events >= floodEvents) waiting ??= setTimeout(check, floodQuietMs);
    },
    stop: () => clearTimeout(waiting),
  };

  function check(): void {
    const left = last + floodQuietMs - performance.now();
    waiting = left > 0 ? setTimeout(check, left) : undefined;
    if (waiting === undefined) onFlood();
  }
}
