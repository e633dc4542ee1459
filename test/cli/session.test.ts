import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { holdHome } from "../../services/home-lock.ts";
import { program, runCommand } from "../support/command.ts";
import { processesOf } from "../support/product.ts";
import { patience } from "../support/patience.ts";

const home = await mkdtemp(join(tmpdir(), "casparian-session-"));
const casparian = (...args: readonly string[]) => runCommand(args, { cwd: home });
beforeAll(() => mkdir(join(home, "inbox")));
afterAll(() => rm(home, { recursive: true, force: true }));

test("in a folder where nothing runs, a command brings the record along and takes it away again", async () => {
  expect(await casparian("source", "add", "inbox", "inbox")).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await processesOf(home)).toEqual([]);
  const { stdout } = await casparian("source", "list", "--json");
  expect(JSON.parse(stdout)).toMatchObject([{ name: "inbox", path: join(home, "inbox") }]);
  const status = JSON.parse((await casparian("status", "--json")).stdout) as unknown;
  expect(status).toMatchObject({ running: null, database: { kind: "embedded", url: null }, temporal: { address: null } });
});

test("auditors read the embedded record as a user who can only read", async () => {
  const { stdout } = await casparian("sql", "select current_user, current_setting('transaction_read_only') as read_only", "--json");
  expect(JSON.parse(stdout)).toEqual([{ current_user: "casparian_reader", read_only: "on" }]);
});

test("two commands at once wait for each other", async () => {
  const results = await Promise.all([casparian("source", "list"), casparian("rule", "list"), casparian("status")]);
  for (const result of results) expect(result).toMatchObject({ exitCode: 0, stderr: "" });
});

test("a command that is stopped leaves nothing running", async () => {
  const child = execa(process.execPath, [program, "sql", "select pg_sleep(60)"], { cwd: home, reject: false });
  await vi.waitFor(async () => {
    const { stdout } = await execa("ps", ["-eo", "args"]);
    // The server shows in a process's title that somebody's select runs in it.
    if (!stdout.split("\n").some((line) => line.startsWith("postgres:") && line.includes("SELECT")))
      throw new Error("it does not sleep yet");
  }, patience);
  child.kill("SIGTERM");
  expect(await child).toMatchObject({ exitCode: 143, stdout: "", stderr: "" });
  expect(await processesOf(home)).toEqual([]);
  expect((await casparian("status")).exitCode).toBe(0);
});

test("a folder that another program holds for long is told with who holds it", async () => {
  const lock = await holdHome(join(home, ".casparian"), { command: "casparian start" });
  try {
    const result = await casparian("source", "list");
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(`\`casparian start\`, process ${process.pid}`);
  } finally {
    lock.release();
  }
});
