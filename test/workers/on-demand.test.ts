import { expect, test, vi } from "vitest";
import { onDemand } from "../../workers/on-demand.ts";
import { quietLog } from "../support/quiet-log.ts";
import { patience } from "../support/patience.ts";

test("work is done at once, after each nudge, and again after a failure until it succeeds", async () => {
  const outcomes = [new Error("not yet"), null, null];
  let turns = 0;
  const told: string[] = [];
  const log = { ...quietLog, warn: (message: string) => void told.push(message) };
  const working = onDemand("asking", log, async () => {
    const failure = outcomes[turns++];
    if (failure) throw failure;
  });
  await vi.waitFor(() => expect(turns).toBe(2), patience);
  expect(told).toEqual(["asking failed; it is tried again"]);
  working.nudge();
  await vi.waitFor(() => expect(turns).toBe(3), patience);
  await working.stop();
  working.nudge();
  expect(turns).toBe(3);
});

test("a nudge during the work has it done once more", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let turns = 0;
  const working = onDemand("asking", quietLog, async () => {
    turns += 1;
    await promise;
  });
  for (let n = 0; n < 3; n++) working.nudge();
  resolve();
  await vi.waitFor(() => expect(turns).toBe(2), patience);
  await working.stop();
  expect(turns).toBe(2);
});
