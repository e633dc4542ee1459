import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { openDatabase } from "../../../db/pool.ts";
import { textOf } from "../run-plugin.ts";
import { startWorker, users, workersSecret, type Worker } from "./workers.ts";

const outside = mkdtempSync(join(tmpdir(), "cf-outside-"));
const secretPath = join(outside, "secret.txt");
const socketPath = join(outside, "outside.sock");
const abstractName = `cf-${process.pid}-abstract`;
const reached: string[] = [];
const servers = ["tcp", "unix", "abstract"].map((kind) => createServer(() => reached.push(kind)));
let input: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  writeFileSync(secretPath, "secret");
  chmodSync(outside, 0o755);
  const places = [{ port: 0, host: "127.0.0.1" }, { path: socketPath }, { path: `\0${abstractName}` }];
  for (const [n, server] of servers.entries()) await new Promise<void>((resolve) => server.listen(places[n], resolve));
  // Whoever gets to the socket may connect; only the walls are in the way.
  chmodSync(socketPath, 0o777);
  const database = openDatabase(inject("databaseUrl"), { max: 1 });
  const { rows } = await database.query<{ folder: string }>("select current_setting('data_directory') as folder");
  await database.end();
  input = {
    secretPath,
    socketPath,
    abstractName,
    port: (servers[0]!.address() as AddressInfo).port,
    databaseFolder: rows[0]?.folder,
    databasePort: Number(new URL(inject("databaseUrl")).port),
    nodePid: "WORKER_PID",
  };
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(outside, { recursive: true, force: true });
});

describe.each(users)("as %s", (user) => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await startWorker(user);
  });
  afterEach(() => worker.expectNextJobToWork());
  afterAll(() => worker.close());

  test("a plugin reaches its input, its environment and its scratch folder, and nothing else", async (context) => {
    context.skip(worker.walls.lacking.length > 0, "this kernel lacks a wall");
    const before = statSync(secretPath);
    const { failure, logs } = await worker.run({ plugin: "reaches_out" }, { input });
    expect(failure).toBeUndefined();
    const { allowed, environment, descriptors, ...attempts } = JSON.parse(textOf(logs, "stdout")) as Told;
    expect(Object.keys(attempts)).toEqual(["reads", "sockets", "writes", "processes", "kernel"]);
    for (const [group, tried] of Object.entries(attempts)) expect([group, reachedOf(tried)]).toEqual([group, []]);
    expect(Object.values(attempts).reduce((sum, tried) => sum + Object.keys(tried).length, 0)).toBeGreaterThan(100);
    expect(Object.values(allowed)).toEqual(Object.values(allowed).map(() => "reached"));
    // The data and the log.
    expect(descriptors).toHaveLength(2);
    expect(JSON.stringify(environment)).not.toContain(workersSecret);
    expect(Object.keys(environment).filter((name) => !/^(LANG|HOME|TMPDIR|TZ|\w+_(NUM|MAX)_THREADS)$/.test(name))).toEqual([]);
    expect(reached).toEqual([]);
    const { mode, mtimeMs, ctimeMs } = statSync(secretPath);
    expect({ mode, mtimeMs, ctimeMs }).toEqual({ mode: before.mode, mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
    expect(readFileSync(secretPath, "utf8")).toBe("secret");
  });

  test("a library's code, which runs in the warm parent or when Python starts, is kept in as well", async (context) => {
    context.skip(worker.walls.lacking.length > 0, "this kernel lacks a wall");
    const source = "import evil\nclass Handler:\n    def execute(self, file_path):\n        print(evil.told)\n";
    const packages = { "evil.py": evilPackage(input), "evil.pth": "import evil\n" };
    const { failure, logs } = await worker.run({ source }, { input, packages });
    expect(failure).toBeUndefined();
    const told = JSON.parse(textOf(logs, "stdout")) as Attempts;
    expect(Object.keys(told)).toHaveLength(15);
    expect(reachedOf(told)).toEqual([]);
    expect(reached).toEqual([]);
  });
});

type Attempts = Readonly<Record<string, string>>;

interface Told {
  readonly [group: string]: Attempts;
  readonly allowed: Attempts;
  readonly environment: Attempts;
  readonly descriptors: never;
}

function reachedOf(tried: Attempts): readonly string[] {
  return Object.keys(tried).filter((name) => tried[name] === "reached");
}

/** Runs where /proc can be read, and before any file is known. */
function evilPackage(given: Readonly<Record<string, unknown>>): string {
  return `
import json, mmap, os, socket
out = json.loads(${JSON.stringify(JSON.stringify(given))})
node = max(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("PPid:")) or ${process.pid}

def changed(path):
    before = os.stat(path).st_mode
    os.chmod(path, 0o777)
    if os.stat(path).st_mode == before:
        raise PermissionError

def secrets_of_others():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if ${JSON.stringify(workersSecret)} in open(f"/proc/{pid}/cmdline").read():
            return
    raise PermissionError

attempts = {
    "read a file": lambda: open(out["secretPath"]).read(),
    "write a file": lambda: open(os.path.join(os.path.dirname(out["secretPath"]), "x"), "w"),
    "write a package": lambda: open(os.__file__, "a"),
    "write another package": lambda: open(__file__, "a"),
    "change a package's mode": lambda: changed(__file__),
    "change a file's mode": lambda: changed(out["secretPath"]),
    "read passwd": lambda: open("/etc/passwd").read(),
    "read the environment of Node": lambda: open("/proc/${process.pid}/environ").read(),
    "read the environment above": lambda: open(f"/proc/{node}/environ").read(),
    "read command lines": secrets_of_others,
    "connect over TCP": lambda: socket.create_connection(("127.0.0.1", out["port"]), 1),
    "connect to a Unix socket": lambda: socket.socket(socket.AF_UNIX).connect(out["socketPath"]),
    "share memory of no file": lambda: mmap.mmap(-1, 4096),
    "signal Node": lambda: os.kill(${process.pid}, 0),
    "use up watches": lambda: os.memfd_create("x"),
}
told = {}
for name, attempt in attempts.items():
    try:
        attempt()
        told[name] = "reached"
    except OSError as error:
        told[name] = type(error).__name__
told = json.dumps(told)
`;
}
