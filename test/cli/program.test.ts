import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, expect, test, vi } from "vitest";
import { failureOf, runCommand } from "../support/command.ts";
import { patience } from "../support/patience.ts";

const root = resolve(import.meta.dirname, "../..");
const home = await mkdtemp(join(tmpdir(), "casparian-program-"));
afterAll(() => rm(home, { recursive: true, force: true }));

/** Makes the first process believe that it is an old Node; the one that it starts is not told so. */
const asOldNode = [
  "--import",
  `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.11.0"}})`,
];

test("an older Node hands over to the one that comes along, with output and exit code", async () => {
  const run = (...args: readonly string[]) =>
    execa(process.execPath, [...asOldNode, join(root, "bin/casparian.js"), ...args], { reject: false });
  expect(await run("--version")).toMatchObject({ exitCode: 0, stdout: "0.1.0" });
  expect(await run("nonsense")).toMatchObject({ exitCode: 2, stdout: "" });
});

test("an older Node hands signals over, and ends as its successor ends", async () => {
  const child = execa(process.execPath, [...asOldNode, join(root, "bin/casparian.js"), "sql", "@-", "--debug"], {
    reject: false,
    cwd: home,
  });
  const children = async (): Promise<readonly string[]> => {
    const { stdout } = await execa("ps", ["-o", "pid=", "--ppid", String(child.pid)], { reject: false });
    return stdout.split("\n").filter((line) => line.trim() !== "");
  };
  const inner = await vi.waitFor(async () => {
    const [pid] = await children();
    if (pid === undefined) throw new Error("nobody has taken over yet");
    return Number(pid);
  }, patience);
  // It waits for stdin once it has begun to listen for signals; until then a signal ends it as well, only less orderly.
  child.kill("SIGTERM");
  const result = await child;
  expect([143, undefined]).toContain(result.exitCode);
  await vi.waitFor(() => expect(() => process.kill(inner, 0)).toThrow("ESRCH"), patience);
});

test("flags that a person gives to Node hold for a worker, too", async () => {
  const flag = `--import=data:text/javascript,process.on("exit",()=>console.error("the flag holds"))`;
  const run = (...args: readonly string[]) => execa(process.execPath, [flag, join(root, "bin/casparian.js"), ...args]);
  expect(await run("start", "--help")).toMatchObject({ stderr: "the flag holds" });
});

test("`npx casparian` in a clone runs the clone's own program, without a download", async () => {
  const result = await execa("npx", ["--offline", "casparian", "--version"], { cwd: root, reject: false });
  expect(result).toMatchObject({ exitCode: 0, stdout: "0.1.0" });
});

test("a reader that has seen enough is no error", async () => {
  const pipe = (reader: string) =>
    execa("sh", ["-c", `"$0" "$1" help | ${reader}; echo "status $?"`, process.execPath, join(root, "bin/casparian.js")], {
      reject: false,
    });
  expect(await pipe("head -1")).toMatchObject({ stdout: "Usage: casparian [options] [command]\nstatus 0", stderr: "" });
  // Gone before the program has begun.
  expect(await pipe("true")).toMatchObject({ stdout: "status 0", stderr: "" });
});

test("a database that nobody answers for is exit code 3, with its place and no password", async () => {
  const port = await freePort();
  const result = await runCommand(["--home", home, "--database", `postgres://me:secret@127.0.0.1:${port}/db`, "jobs", "list", "--json"]);
  expect(result.exitCode).toBe(3);
  expect(failureOf(result)).toMatchObject({ code: "SERVICE_UNREACHABLE", message: expect.stringContaining(`127.0.0.1:${port}`) as string });
  expect(result.stderr).not.toContain("secret");
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}
