import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sandboxCapabilities } from "../../bridge/sandbox.ts";
import { testTools } from "../support/tools.ts";
import { makeBareEnvironment } from "./bare-environment.ts";
import { createRunner, rowsOf, textOf } from "./run-plugin.ts";

const runner = createRunner();
const outside = mkdtempSync(join(tmpdir(), "cf-outside-"));
const socketPath = join(outside, "outside.sock");
const secretPath = join(outside, "secret.txt");
const tcp = createServer(() => reached.push("tcp"));
const unix = createServer(() => reached.push("unix"));
const reached: string[] = [];

beforeAll(async () => {
  writeFileSync(secretPath, "secret");
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => unix.listen(socketPath, resolve));
});

afterAll(() => {
  tcp.close();
  unix.close();
  rmSync(outside, { recursive: true, force: true });
});

test("what this machine lacks is said in sentences", async () => {
  const walls = await sandboxCapabilities({ python: testTools().python });
  const whole = walls.pidNamespace && walls.networkNamespace && walls.landlock >= 6 && walls.seccomp;
  expect(walls.lacking.length === 0).toBe(whole);
});

test("a plugin reaches its input, its environment and its scratch folder, and nothing else", async () => {
  const address = tcp.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const input = JSON.stringify({ port, socketPath, secretPath, nodePid: process.pid });
  const collected = await runner.run({ plugin: "probe", input });
  const outcomes = Object.fromEntries(rowsOf(collected).map((row) => [row["attempt"], row["outcome"]]));
  const { landlock, seccomp, pidNamespace, networkNamespace } = await sandboxCapabilities({ python: testTools().python });
  expect(outcomes).toEqual({
    "read passwd": behind(landlock > 0),
    "read beside the input": behind(landlock > 0),
    "read another file": behind(landlock > 0),
    "write beside the input": behind(landlock > 0),
    "write the input": behind(landlock > 0),
    "write the environment": behind(landlock > 0),
    "connect over TCP": behind(networkNamespace || seccomp || landlock >= 4),
    "send over UDP": behind(networkNamespace || seccomp),
    "connect to a Unix socket": behind(seccomp),
    "datagram to a Unix socket": behind(seccomp),
    "read Node's environment": behind(landlock > 0),
    "signal the parent": behind(pidNamespace || landlock >= 6),
    "signal Node": behind(pidNamespace || landlock >= 6),
    "run another program": behind(landlock > 0),
    "make a namespace": behind(seccomp),
    "read the input": "reached",
    "write scratch": "reached",
    "run Python again": "reached",
    "map memory": "reached",
    environment: expect.stringMatching(
      /^HOME,LANG,MKL_NUM_THREADS,OMP_NUM_THREADS,OPENBLAS_NUM_THREADS,POLARS_MAX_THREADS,TMPDIR(,TZ)?$/,
    ) as string,
    // The data and the log.
    descriptors: "2",
  });
  expect(reached.length).toBe(seccomp ? 0 : reached.length);
});

test("import code of a library, which runs in the warm parent, is kept in as well, and code that runs when Python starts", async () => {
  const environment = makeBareEnvironment();
  try {
    writeFileSync(join(environment.packages, "evil.py"), evilModule);
    writeFileSync(join(environment.packages, "evil.pth"), "import evil\n");
    const source = "import evil\nclass Handler:\n    def execute(self, file_path):\n        print(*evil.outcomes, sep='\\n')\n";
    const { logs } = await runner.run({ source, python: environment.python });
    const { landlock, seccomp } = await sandboxCapabilities({ python: testTools().python });
    const files = behind(landlock > 0);
    expect(textOf(logs, "stdout").trim().split("\n")).toEqual([files, files, files, files, behind(seccomp)]);
  } finally {
    environment.remove();
  }
});

const evilModule = `
import socket
outcomes = []
for attempt in (
    lambda: open(${JSON.stringify(secretPath)}).read(),
    lambda: open(${JSON.stringify(join(outside, "written.txt"))}, "w"),
    lambda: open("/proc/${process.pid}/environ").read(),
    lambda: open("/etc/passwd").read(),
    lambda: socket.socket(socket.AF_UNIX).connect(${JSON.stringify(socketPath)}),
):
    try:
        attempt()
        outcomes.append("reached")
    except OSError as error:
        outcomes.append(type(error).__name__)
`;

/** Where a kernel lacks the wall, the attempt may get through. */
function behind(wall: boolean): string {
  return expect.stringMatching(wall ? /^(Permission|ProcessLookup)Error$/ : /./) as string;
}
