/** More paths than these are not worth their place in Temporal's history: everything is looked at instead. */
const pathsMax = 1_000;

/** Hints that wait to be looked at: a bounded set of paths, or everything. */
export interface Hints {
  /** Paths, one path, or nothing for everything. */
  add(paths: readonly string[] | string | null | undefined): void;
  areWaiting(): boolean;
  areForEverything(): boolean;
  /** Empties the set; null means everything. */
  take(): readonly string[] | null;
}

export function collectHints(): Hints {
  let everything = false;
  let waiting = new Set<string>();
  return {
    add(paths) {
      if (typeof paths === "string") waiting.add(paths);
      else if (Array.isArray(paths)) for (const path of paths) waiting.add(String(path));
      else everything = true;
      if (waiting.size > pathsMax) everything = true;
      if (everything) waiting = new Set();
    },
    areWaiting: () => everything || waiting.size > 0,
    areForEverything: () => everything,
    take() {
      const taken = everything ? null : [...waiting];
      everything = false;
      waiting = new Set();
      return taken;
    },
  };
}
