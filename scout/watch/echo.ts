/** A longer settle time isn't missed by much anyway. Milliseconds. */
const settleMsMax = 10_000;
/** Hints that wait to be told again; beyond, what they are about is found when the scan's own timer ends. */
const waitingMax = 20;

type OnHint = (paths: readonly string[] | null) => void;

/**
 * Tells a hint at once and again when what has just changed may have settled. A scan that found it unsettled waits for that by itself, but
 * by a timer of Temporal's, which may be a second late.
 */
export function echoHints(onHint: OnHint, settleMs: number): { readonly onHint: OnHint; readonly stop: () => void } {
  const waiting = new Set<NodeJS.Timeout>();
  return {
    onHint(paths) {
      onHint(paths);
      if (paths === null || settleMs === 0 || settleMs > settleMsMax || waiting.size >= waitingMax) return;
      const timer = setTimeout(() => {
        waiting.delete(timer);
        onHint(paths);
      }, settleMs);
      waiting.add(timer);
    },
    stop() {
      for (const timer of waiting) clearTimeout(timer);
    },
  };
}
