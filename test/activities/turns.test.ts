import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createTurns, type Turns } from "../../activities/turns.ts";

const { signal } = new AbortController();

/** Work that goes on until it is told to end, and notes when it begins. */
function workOf(turns: Turns, begun: string[], options: { readonly signal?: AbortSignal; readonly waitMsMax?: number } = {}) {
  return (plugin: string) => {
    const ending = Promise.withResolvers<void>();
    const done = turns.take(
      () => {
        begun.push(plugin);
        return ending.promise;
      },
      { plugin, signal, ...options },
    );
    return { done, end: ending.resolve };
  };
}

test("no more run at once than there are turns; the next one begins when one ends", async () => {
  const begun: string[] = [];
  const start = workOf(createTurns(2), begun);
  const [first] = ["a", "a", "a"].map(start);
  await setImmediate();
  expect(begun).toEqual(["a", "a"]);
  first?.end();
  await first?.done;
  await setImmediate();
  expect(begun).toEqual(["a", "a", "a"]);
});

test("a turn that comes free goes to the plugin with the fewest, however long others have waited", async () => {
  const begun: string[] = [];
  const start = workOf(createTurns(2), begun);
  const slow = ["slow", "slow", "slow", "slow"].map(start);
  const quick = ["quick", "quick"].map(start);
  slow[0]?.end();
  await slow[0]?.done;
  await setImmediate();
  expect(begun).toEqual(["slow", "slow", "quick"]);
  // Now both have one: the one that has waited longest.
  quick[0]?.end();
  await quick[0]?.done;
  await setImmediate();
  expect(begun).toEqual(["slow", "slow", "quick", "quick"]);
});

test("one that gives up waiting takes no turn", async () => {
  const begun: string[] = [];
  const turns = createTurns(1);
  const first = workOf(turns, begun)("a");
  await expect(workOf(turns, begun, { waitMsMax: 1 })("b").done).rejects.toMatchObject({ code: "WORKER_BUSY" });
  const controller = new AbortController();
  const aborted = workOf(turns, begun, { signal: controller.signal })("c");
  controller.abort(new Error("stopped"));
  await expect(aborted.done).rejects.toThrow("stopped");
  first.end();
  await first.done;
  const last = workOf(turns, begun)("d");
  last.end();
  await last.done;
  expect(begun).toEqual(["a", "d"]);
});
