import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openDatabase } from "../../db/pool.ts";
import { startOf } from "../../services/orphan.ts";
import { startPostgres, type Postgres } from "../../services/postgres.ts";
import { stateFolder, type StateFolder } from "../support/state-folder.ts";
import { patience } from "../support/patience.ts";

/** Of a database that was started and stopped once. */
let made: StateFolder;
let folder: StateFolder;
let running: Postgres | undefined;

beforeAll(async () => {
  made = await stateFolder();
  await (await startPostgres({ stateDir: made.path, log: made.log })).stop();
});
afterAll(() => made.remove());

beforeEach(async () => {
  folder = await stateFolder();
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await folder.remove();
});

async function start(options: { port?: number; userNamespaces?: boolean } = {}): Promise<Postgres> {
  return (running = await startPostgres({ stateDir: folder.path, log: folder.log, ...options }));
}

/** In a folder that has a database already: to make one takes longer than all else of these tests. */
async function startMade(options: { port?: number } = {}): Promise<Postgres> {
  await cp(made.path, folder.path, { recursive: true });
  return start(options);
}

async function ask(url: string, query: string): Promise<unknown> {
  const db = openDatabase(url, { max: 1 });
  try {
    const { rows } = await db.query<Record<string, unknown>>(query);
    return rows.map((row) => Object.values(row)[0]).join();
  } finally {
    await db.end();
  }
}

test("starts, stops, and starts again with the same data at the same address", async () => {
  const first = await start();
  await ask(first.url, "create table kept as select 'yes' as answer");
  await first.stop();
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await first.stop();

  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, "select answer from kept")).toBe("yes");
});

test("keeps what it has acknowledged, speaks UTF-8 and sorts by bytes, and listens on this machine only", async () => {
  const { url, pid } = await startMade();
  const setting = (name: string): Promise<unknown> => ask(url, `show ${name}`);
  expect(await setting("fsync")).toBe("on");
  expect(await setting("synchronous_commit")).toBe("on");
  expect(await setting("server_encoding")).toBe("UTF8");
  expect(await ask(url, "select datcollate from pg_database where datname = current_database()")).toBe("C");
  expect(await setting("listen_addresses")).toBe("127.0.0.1");
  expect(await setting("unix_socket_directories")).toBe("");
  expect(await ask(url, "select current_user || current_setting('is_superuser')")).toBe("casparianon");
  // In a process group of its own, so that Ctrl-C in our terminal doesn't reach it.
  expect(execFileSync("ps", ["-o", "pgid=", "-p", String(pid)], { encoding: "utf8" }).trim()).toBe(String(pid));
});

test("a home's path may hold any character", async () => {
  const odd = join(folder.path, "odd %20 #1 'q\" ü?x=1");
  running = await startPostgres({ stateDir: odd, log: folder.log });
  expect(await ask(running.url, "select 1")).toBe("1");
});

test("passwords are this home's own, readable for its owner only, and needed", async () => {
  const { url, readerUrl } = await start();
  expect((await stat(join(folder.path, "secrets.json"))).mode & 0o777).toBe(0o600);
  expect(new URL(url).password).toMatch(/^[\w-]{32}$/);
  expect(new URL(readerUrl).password).not.toBe(new URL(url).password);
  await expect(ask(Object.assign(new URL(url), { password: "" }).href, "select 1")).rejects.toMatchObject({ code: "DATABASE_REFUSED" });
});

test("the auditors' user reads only", async () => {
  const { readerUrl } = await startMade();
  expect(await ask(readerUrl, "select current_user")).toBe("casparian_auditor");
  await expect(ask(readerUrl, "create table mine (id int)")).rejects.toMatchObject({ code: "25006" });
});

test("lost passwords are made and set anew", async () => {
  const before = await startMade();
  await before.stop();
  await rm(join(folder.path, "secrets.json"));
  const after = await start();
  expect(after.url).not.toBe(before.url);
  expect(await ask(after.url, "select 1")).toBe("1");
  expect(await ask(after.readerUrl, "select 1")).toBe("1");
});

test("tells when the server ends by itself, and the next start recovers", async () => {
  const first = await startMade();
  await ask(first.url, "create table kept as select 'yes' as answer");
  process.kill(first.pid, "SIGKILL");
  expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });

  const second = await start();
  expect(await ask(second.url, "select answer from kept")).toBe("yes");
});

test("a pid file whose number now belongs to another program doesn't keep it from starting", async () => {
  const first = await startMade();
  await first.stop();
  await writeFile(join(folder.path, "postgres", "postmaster.pid"), `${process.pid}\n${join(folder.path, "postgres")}\n`);
  const second = await start();
  expect(await ask(second.url, "select 1")).toBe("1");
});

test("a folder that was being made when the program was killed is made anew", async () => {
  await mkdir(join(folder.path, "postgres.half-made-1", "base"), { recursive: true });
  await writeFile(join(folder.path, "postgres.half-made-1", "PG_VERSION"), "18\n");
  const { url } = await start();
  expect(await ask(url, "select 1")).toBe("1");
  expect((await readdir(folder.path)).filter((name) => name.includes("half-made"))).toEqual([]);
});

test.each([
  ["something else", { "notes.txt": "mine" }, /isn't a PostgreSQL database/],
  ["another version's data", { PG_VERSION: "13\n" }, /made by PostgreSQL 13/],
])("a folder with %s is left alone", async (_, files, message) => {
  await mkdir(join(folder.path, "postgres"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, "postgres", name), text);
  await expect(start()).rejects.toMatchObject({ code: "DATABASE_FOLDER", message: expect.stringMatching(message) });
  expect(await readdir(join(folder.path, "postgres"))).toEqual(Object.keys(files));
});

test("a port that was asked for and is in use is an error that names it", async () => {
  const { server, port } = await occupied();
  await expect(start({ port })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: expect.stringContaining(String(port)),
    hint: expect.stringContaining("[database] port"),
  });
  server.close();
  const { url } = await startMade({ port });
  expect(new URL(url).port).toBe(String(port));
});

test("takes another port when the one of the last time is in use", async () => {
  const first = await startMade();
  await first.stop();
  const { server } = await occupied(Number(new URL(first.url).port));
  const second = await start();
  expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
  expect(await ask(second.url, "select 1")).toBe("1");
  server.close();
});

test("where there are no user namespaces it runs as the system's postgres user, and later as the folder's owner", async () => {
  const hasUser = isRoot() && works("id", "postgres");
  const first = await start({ userNamespaces: !hasUser });
  await ask(first.url, "create table kept as select 'yes' as answer");
  const { uid } = await stat(join(folder.path, "postgres"));
  expect(uid === process.getuid?.()).toBe(!hasUser);
  await first.stop();
  const second = await start();
  expect(await ask(second.url, "select answer from kept")).toBe("yes");
});

test("a folder that this user can't reach is said, when it would have to be one", async () => {
  const hasUser = isRoot() && works("id", "postgres");
  await chmod(folder.path, 0o700);
  const outcome = await start({ userNamespaces: !hasUser }).catch((error: { code: string }) => error.code);
  expect(outcome === "NO_UNPRIVILEGED_USER").toBe(hasUser);
});

test("what the server says when it can't start is passed on", async () => {
  await (await startMade()).stop();
  await writeFile(join(folder.path, "postgres", "postgresql.auto.conf"), "no_such_setting = 1\n");
  await expect(start()).rejects.toMatchObject({ code: "POSTGRES_NOT_STARTED", message: expect.stringContaining("postgresql.auto.conf") });
  await vi.waitFor(() => expect(startOf(running?.pid ?? 0)).toBeUndefined(), patience);
});

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function works(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function occupied(port = 0): Promise<{ server: Server; port: number }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve({ server, port: typeof address === "object" && address !== null ? address.port : 0 });
    });
  });
}
