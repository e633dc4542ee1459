import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { patience } from "../support/patience.ts";
import { descendantsOf, isAlive } from "./processes.ts";
import { startParentOf } from "./start-parent.ts";

test("a parent that is killed before it has read what is asked of it takes nobody with it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cf-parent-"));
  const inputPath = join(folder, "input.csv");
  writeFileSync(inputPath, "a\n1\n");
  const parent = await startParentOf("no_sdk", folder);
  try {
    const started = descendantsOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("parent.py"));
    for (const pid of started) process.kill(pid, "SIGSTOP");
    const job = parent.start({ inputPath, scratch: folder, memoryBytes: 2 ** 30, scratchBytes: 2 ** 30 });
    // The lowest alone, which reads; the others would end with the channel still whole.
    const lowest = started.find((pid) => descendantsOf(pid).length === 0)!;
    process.kill(lowest, "SIGKILL");
    for (const pid of started) if (pid !== lowest) process.kill(pid, "SIGCONT");
    expect(await job.end).toBeUndefined();
    await parent.ended;
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), patience);
  } finally {
    await parent.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
