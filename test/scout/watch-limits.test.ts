import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

const program = join(import.meta.dirname, "watch-in-limits.ts");

/** The machine's own limits belong to everybody; a user namespace has limits of its own. */
const namespaces = await execa("unshare", ["-Ur", "test", "-w", "/proc/sys/user/max_inotify_watches"], { reject: false });

describe.each(["chokidar", "native"])("with %s, a limit of the kernel", (watch) => {
  let root: string;
  beforeEach((context) => {
    context.skip(namespaces.exitCode !== 0, "the kernel lets this user make no user namespace with limits of its own");
    root = temporaryFolder();
    for (let index = 0; index < 10; index += 1) mkdirSync(join(root, `sub-${index}`));
  });
  afterAll(removeTemporaryFolders);

  async function runIn(limit: string, value: number): Promise<{ readonly ready: boolean; readonly warnings: readonly object[] }> {
    const script = `echo ${value} > /proc/sys/user/${limit} && exec "$@"`;
    const { stdout } = await execa("unshare", ["-Ur", "sh", "-c", script, "sh", process.execPath, program, watch, root]);
    return JSON.parse(stdout) as Awaited<ReturnType<typeof runIn>>;
  }

  const saidOnce = (advice: string) => [
    {
      message: `changes below ${root} can't be watched; the scheduled scans still find them`,
      reason: expect.any(String),
      advice: expect.stringContaining(advice),
    },
  ];

  test("that is met at the opening is said once, with what to do", async () => {
    const { ready, warnings } = await runIn("max_inotify_watches", 5);
    // chokidar has opened when it has tried.
    if (watch === "native") expect(ready).toBe(false);
    expect(warnings).toEqual(saidOnce("max_user_watches"));
  });

  test("that a new folder meets is said once, with what to do", async () => {
    const { ready, warnings } = await runIn("max_inotify_watches", 15);
    expect(ready).toBe(true);
    expect(warnings).toEqual(saidOnce("max_user_watches"));
  });

  test("of instances is said once, with what to do, and is no hang", async () => {
    const { warnings } = await runIn("max_inotify_instances", 0);
    expect(warnings).toEqual(saidOnce("max_user_instances"));
  });
});
