import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { processesNamed } from "../processes.ts";
import { textOf } from "../run-plugin.ts";
import { startWorker, users, type Wall, type Worker } from "./workers.ts";

/** Each on a kernel that really lacks the wall: its calls are refused, or its limit is zero. */
const kernels: readonly (readonly [Wall, RegExp, RegExp])[] = [
  ["landlock", /^no Landlock: a plugin can read every file/, /^Use Linux 6.2 or newer with Landlock/],
  ["namespaces", /^no process namespace: a plugin sees other processes, and/, /^Let users make namespaces: a kernel|--cap-add SYS_ADMIN/],
  ["namespaces-by-limit", /^no process namespace/, /sysctl user.max_user_namespaces=10000/],
  ["seccomp", /^no system call filter: a plugin can connect to Unix sockets/, /CONFIG_SECCOMP_FILTER/],
];

describe.each(users.flatMap((user) => kernels.map((kernel) => [user, ...kernel] as const)))(
  "as %s without %s",
  (user, wall, lack, remedy) => {
    let lenient: Worker;
    let strict: Worker;
    beforeAll(async () => {
      [lenient, strict] = await Promise.all([startWorker(user, { without: wall }), startWorker(user, { without: wall, require: true })]);
    });
    afterAll(async () => {
      await Promise.all([lenient, strict].map((worker) => worker.close()));
    });

    test("it is said what is lacking, what follows and what to do", () => {
      expect(lenient.walls.lacking[0]).toEqual({
        message: expect.stringMatching(lack) as string,
        remedy: expect.stringMatching(remedy) as string,
      });
    });

    test("a job runs behind the other walls, and its log says which one was lacking", async () => {
      const { failure, logs } = await lenient.run({ plugin: "behaves" });
      expect(failure).toBeUndefined();
      expect(textOf(logs, "notice")).toContain(`sandbox: ${lenient.walls.lacking[0]?.message}`);
    });

    test("where all walls are required it is refused, for good and with the remedy, and no line of it runs", async () => {
      const source = "import evil\nclass Handler:\n    def execute(self, file_path):\n        print(evil)\n";
      const packages = { "evil.py": "raise SystemError('it ran')\n", "evil.pth": "import sys; print('it ran', file=sys.stderr)\n" };
      const { failure, logs } = await strict.run({ source }, { packages });
      expect(failure).toMatchObject({ name: "TerminalFailure", code: "SANDBOX_INCOMPLETE" });
      expect(failure?.message).toContain(lenient.walls.lacking[0]?.message);
      expect(failure?.hint).toContain(lenient.walls.lacking[0]?.remedy);
      expect(logs).toEqual([]);
    });

    test("nothing outlives its job, and no more memory or disk is taken than there is", async () => {
      const name = `cf-${process.pid}-w`;
      const codes = [];
      const stayed = await lenient.run({ plugin: "stays_on" }, { input: name });
      expect([stayed.failure, processesNamed(name)]).toEqual([undefined, []]);
      for (const way of ["memory_together", "many_files"])
        codes.push((await lenient.run({ plugin: "exhausts" }, { input: way })).failure?.code);
      expect(codes).toEqual(["PLUGIN_MEMORY_LIMIT", "PLUGIN_SCRATCH_LIMIT"]);
    });
  },
);
