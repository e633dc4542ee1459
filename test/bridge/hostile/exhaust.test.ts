import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { PluginLimits } from "../../../bridge/pool.ts";
import { startWorker, users, type Worker } from "./workers.ts";

const mebibyte = 1024 * 1024;

/** So that each reaches the limit that it is for, and soon. */
const limitsOf: Readonly<Record<string, Partial<PluginLimits>>> = {
  processor: { seconds: 0.5 },
  fork_bomb: { memoryBytes: 8192 * mebibyte },
  thread_bomb: { memoryBytes: 8192 * mebibyte },
  empty_files: { scratchBytes: 8 * mebibyte },
};

describe.each(users)("as %s", (user) => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await startWorker(user);
  });
  afterEach(() => worker.expectNextJobToWork());
  afterAll(() => worker.close());

  test.each([
    ["fork_bomb", "PLUGIN_PROCESS_LIMIT", /had more than 64 processes or 512 threads/],
    ["thread_bomb", "PLUGIN_PROCESS_LIMIT", /had more than 64 processes or 512 threads/],
    ["sockets", "PLUGIN_FILE_LIMIT", /had more than 4,096 files and sockets open/],
    ["memory", "PLUGIN_MEMORY_LIMIT", /needs more memory than its limit/],
    ["memory_together", "PLUGIN_MEMORY_LIMIT", /needs more memory than its limit of 256 MiB/],
    ["tables_of_pages", "PLUGIN_MEMORY_LIMIT", /needs more memory than its limit of 256 MiB/],
    ["one_large_file", "PLUGIN_SCRATCH_LIMIT", /writes more to its working folder than its limit: OSError: \[Errno 27\]/],
    ["many_files", "PLUGIN_SCRATCH_LIMIT", /filled its working folder: 64 MiB, .* are the most/],
    ["files_without_names", "PLUGIN_SCRATCH_LIMIT", /filled its working folder/],
    ["files_only_mapped", "PLUGIN_SCRATCH_LIMIT", /filled its working folder/],
    ["closed_folders", "PLUGIN_SCRATCH_LIMIT", /filled its working folder/],
    ["deep_folders", "PLUGIN_SCRATCH_LIMIT", /filled its working folder/],
    ["empty_files", "PLUGIN_SCRATCH_LIMIT", /filled its working folder/],
    ["processor", "PLUGIN_TIME_LIMIT", /took longer than its limit of 0.5 s/],
  ])("%s ends the job, which says so, and leaves nothing", async (way, code, message) => {
    const { failure, left } = await worker.run({ plugin: "exhausts" }, { input: way, limits: limitsOf[way] ?? {} });
    expect(failure).toMatchObject({ name: "TerminalFailure", code, message: expect.stringMatching(message) as string });
    expect(failure?.hint).toBeTruthy();
    expect(left).toEqual([]);
  });

  test("a flood of text ends the job", async () => {
    const source = "class Handler:\n    def execute(self, file_path):\n        while True:\n            print('x' * 1_000_000)\n";
    const { failure, logs } = await worker.run({ source });
    expect(failure).toMatchObject({ code: "PLUGIN_LOG_LIMIT" });
    expect(logs.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThan(2 * mebibyte);
  });
});
