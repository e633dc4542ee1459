import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClock } from "../../bridge/clock.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

const schema = { kind: "schema", rows: 0, bytes: new Uint8Array() } as const;

test("the limit counts the plugin's own time, not that of a handler", async () => {
  let done = () => {};
  const handling = new Promise<void>((resolve) => (done = resolve));
  const clock = createClock({ open: () => handling, message: async () => {} });
  const onLimit = vi.fn<() => void>();
  clock.limit(10, onLimit);

  await vi.advanceTimersByTimeAsync(4_000);
  const opened = clock.handlers.open("output", schema);
  expect(clock.busy()).toBe(true);
  await vi.advanceTimersByTimeAsync(3_600_000);
  done();
  await opened;
  expect(clock.busy()).toBe(false);

  await vi.advanceTimersByTimeAsync(5_000);
  expect(onLimit).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1_100);
  expect(onLimit).toHaveBeenCalledOnce();
});

test("a limit that was cleared does not come, and a very long one does not come at once", async () => {
  const clock = createClock({ open: async () => {}, message: async () => {} });
  const [cleared, long] = [vi.fn<() => void>(), vi.fn<() => void>()];
  clock.limit(1, cleared).clear();
  clock.limit(40 * 24 * 3600, long);
  await vi.advanceTimersByTimeAsync(30 * 24 * 3600 * 1000);
  expect(cleared).not.toHaveBeenCalled();
  expect(long).not.toHaveBeenCalled();
});
