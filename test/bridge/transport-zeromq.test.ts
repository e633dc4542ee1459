import { expect, test, vi } from "vitest";
import { patience } from "../support/patience.ts";
import { messageHead } from "./forged-frames.ts";
import { processesNamed } from "./processes.ts";
import { testTransport } from "./transport-conformance.ts";

const runner = testTransport("zeromq");
const sender = `cf-${process.pid}-zl`;

test("all that a sender was granted comes, also where it fills the window and the sender is gone", async () => {
  let taken = 0;
  const failure = await runner.fail({
    plugin: "sends",
    input: `killed_after_large ${sender}`,
    handlers: {
      message: async () => {
        if (taken === 0) await vi.waitFor(() => expect(processesNamed(sender)).toEqual([]), patience);
        taken += 1;
      },
    },
  });
  expect([failure.code, taken]).toEqual(["PLUGIN_KILLED", 12]);
});

test.each([
  ["a message longer than any", messageHead(2 ** 40)],
  ["bytes that are no message", Buffer.from("f".repeat(64))],
  ["a message that is cut off", Buffer.concat([messageHead(2 ** 18), Buffer.alloc(100)])],
])("%s ends the plugin that has written it, and commits nothing", async (_what, forged) => {
  const failure = await runner.fail({ plugin: "sends", input: `forged_then_exits ${forged.toString("hex")}` });
  expect(failure).toMatchObject({ name: "TerminalFailure", code: expect.stringMatching(/^PLUGIN_(EXITED|PROTOCOL)$/) as string });
});
