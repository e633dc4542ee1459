import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { frameKinds } from "../../bridge/frames.ts";
import { chooseTransport } from "../../bridge/transport/choose.ts";
import type { TransportName } from "../../domain/transport.ts";
import { patience } from "../support/patience.ts";
import { forgery, frame } from "./forged-frames.ts";
import { processesNamed, residentBytesOf, untilAsleep } from "./processes.ts";
import { createRunner, rowsOf, type Runner } from "./run-plugin.ts";
import { startParentOf } from "./start-parent.ts";

const mebibyte = 1024 * 1024;

/** What every transport must do; each file runs it for one. Returns the runner, for what is that transport's own. */
export function testTransport(transport: TransportName): Runner {
  const runner = createRunner({ transport });
  const sender = `cf-${process.pid}-${transport.slice(0, 1)}`;
  const sends = (what: string, word = "0") => ({ plugin: "sends", input: `${what} ${word}` });

  test("frames come in order, however many and small", async () => {
    const rows = rowsOf(await runner.run(sends("many_small")));
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 3000 }, (_, n) => n));
  });

  test("a large frame comes whole", async () => {
    const rows = rowsOf(await runner.run(sends("large")));
    expect(rows).toHaveLength(1);
    expect(rows[0]?.["text"] === `${"x".repeat(40_000_000)}end`).toBe(true);
  });

  test("nothing, and a table without rows", async () => {
    expect((await runner.run(sends("nothing"))).outputs).toEqual([]);
    expect((await runner.run(sends("no_rows"))).outputs).toEqual([{ output: "output", rowsSent: 0 }]);
  });

  test("a sender that is ahead blocks, and neither side takes memory meanwhile", async () => {
    let rows = 0;
    let [ours, theirs] = [Infinity, Infinity];
    await runner.run({
      ...sends("much", sender),
      handlers: {
        message: async (_output, message) => {
          if (rows === 0) {
            const [pid = 0] = processesNamed(sender);
            const [before, itsBefore] = [process.memoryUsage().rss, residentBytesOf(pid)];
            await untilAsleep(sender);
            ours = process.memoryUsage().rss - before;
            theirs = residentBytesOf(pid) - itsBefore;
          }
          rows += message.rows;
        },
      },
    });
    expect(rows).toBe(800 * 65_536);
    expect(ours).toBeLessThan(24 * mebibyte);
    expect(theirs).toBeLessThan(24 * mebibyte);
  });

  test("what was sent before the sender was killed comes, however late it is taken", async () => {
    let taken = 0;
    const failure = await runner.fail({
      ...sends("killed_after_small", sender),
      handlers: {
        message: async () => {
          if (taken === 0) await vi.waitFor(() => expect(processesNamed(sender)).toEqual([]), patience);
          taken += 1;
        },
      },
    });
    expect([failure.code, taken]).toEqual(["PLUGIN_KILLED", 12]);
  });

  test("a receiver that stops ends a blocked sender", async () => {
    const controller = new AbortController();
    const run = runner.run({
      ...sends("much", sender),
      signal: controller.signal,
      handlers: {
        message: async () => {
          await untilAsleep(sender);
          controller.abort(new Error("no more"));
          await new Promise(() => {});
        },
      },
    });
    await expect(run).rejects.toThrow("no more");
    expect(processesNamed(sender)).toEqual([]);
  });

  test.each([
    ["a frame longer than any", frame(frameKinds.message, 0, "", 0xfffffff0), /has 4294967280 bytes, and 268435456 is the most/],
    ["a name longer than any", frame(frameKinds.open, 0, "", 0x7fffffff), /has 2147483647 bytes, and 1048576 is the most/],
  ])("%s is refused by its head", async (_what, forged, message) => {
    const failure = await runner.fail(sends("forged", forgery(transport, forged)));
    expect(failure).toMatchObject({ code: "PLUGIN_PROTOCOL", message: expect.stringMatching(message) as string });
  });

  test("a frame that is cut off is none", async () => {
    const failure = await runner.fail(sends("forged_then_exits", forgery(transport, frame(frameKinds.open, 0, "half", 400))));
    expect(failure).toMatchObject({ code: "PLUGIN_PROTOCOL", message: expect.stringContaining("ended within a frame") as string });
  });

  test("jobs at once are not mixed", async () => {
    const all = await Promise.all([1, 2, 3, 4].map((n) => runner.run(sends("same", String(n)))));
    const values = all.map((each) => rowsOf(each).map(({ n }) => Number(n)));
    expect(values.map((each) => [each.length, ...new Set(each)])).toEqual([1, 2, 3, 4].map((n) => [100_000, n]));
  });

  test("who does not know the token gets and gives nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cf-token-"));
    const inputPath = join(folder, "input.txt");
    writeFileSync(inputPath, "no_rows 0");
    const parent = await startParentOf("sends", folder);
    try {
      const { connectBytes, connectText } = await chooseTransport(transport);
      const stranger = connectBytes(parent.socketPath, "0".repeat(32));
      const got = stranger.fill(Buffer.alloc(1));
      await untilClosed(parent.socketPath);
      const job = parent.start({ inputPath, scratch: folder, memoryBytes: 2 ** 30, scratchBytes: 2 ** 30 });
      const data = connectBytes(parent.socketPath, job.token);
      const texts = (["stdout", "stderr", "log"] as const).map((use) => connectText(parent.socketPath, job.token, use, () => {}));
      const head = Buffer.alloc(14);
      expect(await data.fill(head)).toBe(14);
      expect(head).toEqual(frame(frameKinds.open, 0, "output"));
      expect(await job.end).toMatchObject({ code: 0 });
      await Promise.all(texts);
      data.destroy();
      await parent.close();
      expect(await got).toBe(0);
      stranger.destroy();
    } finally {
      await parent.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  return runner;
}

/** Of a connection that says nonsense. */
async function untilClosed(path: string): Promise<void> {
  const socket = connect({ path });
  socket.on("error", () => {}).write("x".repeat(33));
  await new Promise((resolve) => socket.on("close", resolve).resume());
}
