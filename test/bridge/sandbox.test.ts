import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sandboxCapabilities } from "../../bridge/sandbox.ts";
import { testTools } from "../support/tools.ts";
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

test("this machine has every wall, so that the tests below mean something", async () => {
  expect(await sandboxCapabilities({ python: testTools().python })).toMatchObject({ lacking: [] });
});

test("a plugin reaches its input, its environment and its scratch folder, and nothing else", async () => {
  const address = tcp.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const input = JSON.stringify({ port, socketPath, secretPath, nodePid: process.pid });
  const collected = await runner.run({ plugin: "probe", input });
  const outcomes = Object.fromEntries(rowsOf(collected).map((row) => [row["attempt"], row["outcome"]]));
  expect(outcomes).toEqual({
    "read passwd": "PermissionError",
    "read beside the input": "PermissionError",
    "read another file": "PermissionError",
    "write beside the input": "PermissionError",
    "write the input": "PermissionError",
    "write the environment": "PermissionError",
    "connect over TCP": "PermissionError",
    "send over UDP": "PermissionError",
    "connect to a Unix socket": "PermissionError",
    "datagram to a Unix socket": "PermissionError",
    "read the parent's environment": "PermissionError",
    "read Node's environment": "PermissionError",
    "signal the parent": "PermissionError",
    "signal Node": "ProcessLookupError",
    "run another program": "PermissionError",
    "make a namespace": "PermissionError",
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
  expect(reached).toEqual([]);
  expect(readdirSync(runner.folder).filter((name) => name.endsWith(".x"))).toEqual([]);
});

test("import code of a library, which runs in the warm parent, is kept in as well, and code that runs when Python starts", async () => {
  const environment = mkdtempSync(join(tmpdir(), "cf-environment-"));
  try {
    const packages = makeEnvironment(environment);
    writeFileSync(join(packages, "evil.py"), evilModule);
    writeFileSync(join(packages, "evil.pth"), "import evil\n");
    const source = "import evil\nclass Handler:\n    def execute(self, file_path):\n        print(' '.join(evil.outcomes))\n";
    const { logs } = await runner.run({ source, python: join(environment, "bin", "python") });
    expect(textOf(logs, "stdout")).toBe("PermissionError PermissionError PermissionError PermissionError PermissionError\n");
    expect(reached).toEqual([]);
  } finally {
    rmSync(environment, { recursive: true, force: true });
  }
});

const evilModule = `
import os, socket
outcomes = []
for attempt in (
    lambda: open(${JSON.stringify(secretPath)}).read(),
    lambda: open(${JSON.stringify(join(outside, "written.txt"))}, "w"),
    lambda: socket.socket(socket.AF_UNIX).connect(${JSON.stringify(socketPath)}),
    lambda: open("/proc/${process.pid}/environ").read(),
    lambda: os.kill(1, 9) if os.getpid() != 1 else open("/etc/passwd"),
):
    try:
        attempt()
        outcomes.append("reached")
    except OSError as error:
        outcomes.append(type(error).__name__)
`;

/** A virtual environment without a package; returns the folder for packages. */
function makeEnvironment(folder: string): string {
  const base = testTools().python;
  const version = execFileSync(base, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" }).trim();
  const packages = join(folder, "lib", `python${version}`, "site-packages");
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(folder, "bin"));
  symlinkSync(base, join(folder, "bin", "python"));
  writeFileSync(join(folder, "pyvenv.cfg"), `home = ${dirname(base)}\n`);
  return packages;
}
