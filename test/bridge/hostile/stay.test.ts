import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { patience } from "../../support/patience.ts";
import { processesNamed } from "../processes.ts";
import { textOf } from "../run-plugin.ts";
import { startWorker, users, type Worker } from "./workers.ts";

describe.each(users)("as %s", (user) => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await startWorker(user);
  });
  afterEach(() => worker.expectNextJobToWork());
  afterAll(() => worker.close());

  test("daemons, threads and what runs at exit end with the job", async () => {
    const name = `cf-${process.pid}-o`;
    const run = worker.run({ plugin: "stays_on" }, { input: name });
    const { failure, logs } = await run;
    expect(failure).toBeUndefined();
    expect(textOf(logs, "stdout")).toBe("done\n");
    expect(processesNamed(name)).toEqual([]);
  });

  test("what the plugin changes in Python's modules is gone for the next file", async () => {
    const source = [
      "import json, package_of_the_plugin",
      "class Handler:",
      "    def execute(self, file_path):",
      "        print(json.dumps(package_of_the_plugin.value))",
      "        package_of_the_plugin.value = 'changed'",
      "        json.dumps = lambda _: 'changed'",
    ].join("\n");
    const said = [await worker.run({ source }), await worker.run({ source })].map(({ logs }) => textOf(logs, "stdout"));
    expect(said).toEqual(['"as it was installed"\n', '"as it was installed"\n']);
  });

  test.each([
    ["says what is no message", "os.write(3, b'null\\n')"],
    ["says that a job has ended", `os.write(3, b'{"exit": {"id": 1, "code": 0, "peakMemoryBytes": -1}}\\n')`],
    ["says that it is ready and hangs", `os.write(3, b'{"ready": {"lacks": []}}\\n') or time.sleep(600)`],
    ["never ends a message", "[os.write(3, bytes(65536)) for _ in range(1000)]"],
    ["closes the channel", "os.close(3)"],
    ["ends the parent", "os._exit(0)"],
  ])("a library that %s harms its own plugin only", async (_what, code) => {
    const source = "import evil\nclass Handler:\n    def execute(self, file_path):\n        print('ran')\n";
    const packages = { "evil.py": `import os, time\n${code}\n` };
    const { failure, logs, rows } = await worker.run({ source }, { packages, limits: { seconds: 1 } });
    expect(rows).toBe(0);
    // Either it is said, or the library was loaded again in the plugin's process, where it can do nothing with it.
    if (failure === undefined) expect(textOf(logs, "stdout")).toBe("ran\n");
    else expect(failure.code).toMatch(/^PLUGIN_(PARENT_LOST|TIME_LIMIT|RAISED|EXITED)$/);
  });

  test("frames that one job forges are not those of another", async () => {
    const name = `cf-${process.pid}-v`;
    const victim = worker.run({ source: dataSource }, { input: name });
    await vi.waitFor(() => expect(processesNamed(name)).toHaveLength(1), patience);
    const forger = await worker.run({ source: dataSource }, { input: "" });
    expect(forger.failure).toMatchObject({ code: "PLUGIN_PROTOCOL" });
    const { failure, rows, logs } = await victim;
    expect({ failure, rows, said: textOf(logs, "stdout") }).toEqual({ failure: undefined, rows: 0, said: "victim\n" });
  });

  test("a frame without an end, and frames without an end, are ended at the time limit", async () => {
    const half = "struct.pack('<IBBH', 1 << 27, 2, 0, 0) + bytes(100)";
    const said = [];
    for (const loop of [
      `data.sendall(${half})\n        time.sleep(600)`,
      "while True: data.sendall(struct.pack('<IBBH', 1, 1, 0, 0) + b'x')",
    ]) {
      const { failure } = await worker.run({ source: senderSource(loop) }, { limits: { seconds: 0.5 } });
      said.push(failure?.code);
    }
    expect(said).toEqual(["PLUGIN_TIME_LIMIT", "PLUGIN_PROTOCOL"]);
  });
});

/** Goes on for a while under the name that it is given; without one says to whatever it has that it is done, and so is found out when it is. */
const dataSource = [
  "import ctypes, os, socket, stat, struct, time",
  "def frame(kind, payload):",
  "    return struct.pack('<IBBH', len(payload), kind, 0, 0) + payload",
  "class Handler:",
  "    def execute(self, file_path):",
  "        name = open(file_path, 'rb').read()",
  "        sockets = [fd for fd in range(3, 256) if is_socket(fd)]",
  "        if name:",
  "            ctypes.CDLL(None).prctl(15, name, 0, 0, 0)  # PR_SET_NAME",
  "            time.sleep(1)",
  "            print('victim')",
  "        else:",
  "            for fd in sockets:",
  "                os.write(fd, frame(3, b'{\"rows\": {}}'))",
  "def is_socket(fd):",
  "    try:",
  "        return stat.S_ISSOCK(os.fstat(fd).st_mode)",
  "    except OSError:",
  "        return False",
].join("\n");

function senderSource(sending: string): string {
  return [
    "import socket, struct, time",
    "class Handler:",
    "    def execute(self, file_path):",
    "        data = next(one for one in map(open_socket, range(3, 256)) if one is not None)",
    `        ${sending}`,
    "def open_socket(fd):",
    "    try:",
    "        return socket.socket(fileno=fd)",
    "    except OSError:",
    "        return None",
  ].join("\n");
}
