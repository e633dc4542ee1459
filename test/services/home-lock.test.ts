import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WrongUse } from "../../domain/failure.ts";
import { holdHome, isHomeHeld } from "../../services/home-lock.ts";
import { readRunFile, writeRunFile, type RunFile } from "../../services/run-file.ts";
import { stateFolder, type StateFolder } from "../support/state-folder.ts";
import { killHard } from "./owned.ts";

let folder: StateFolder;
let holder: ChildProcess | undefined;

beforeEach(async () => {
  folder = await stateFolder();
});

afterEach(async () => {
  if (holder !== undefined && holder.exitCode === null && holder.signalCode === null) await killHard(holder);
  holder = undefined;
  await folder.remove();
});

async function startHolder(): Promise<ChildProcess> {
  holder = spawn(process.execPath, [join(import.meta.dirname, "holder.ts"), folder.path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout!, "data");
  return holder;
}

const run: RunFile = {
  pid: process.pid,
  startedAt: "2026-01-01T00:00:00.000Z",
  command: "casparian start",
  database: { url: "postgres://casparian:secret@127.0.0.1:1/casparian", readerUrl: "postgres://b" },
  temporal: { address: "127.0.0.1:7233", namespace: "default", uiUrl: "http://127.0.0.1:8233" },
};

test("the second who wants a home is told who has it", async () => {
  const { pid } = await startHolder();
  const error: unknown = await holdHome(folder.path).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(WrongUse);
  expect(error).toMatchObject({
    message: expect.stringMatching(new RegExp(`casparian start.*process ${pid}`)),
    hint: expect.stringContaining(`kill ${pid}`),
  });
});

test("a second one in the same program is refused as well, and looking doesn't lose the lock", async () => {
  const lock = await holdHome(folder.path, { command: "casparian demo" });
  expect(isHomeHeld(folder.path)).toBe(true);
  await expect(holdHome(folder.path)).rejects.toThrow(/casparian demo/);
  expect(isHomeHeld(folder.path)).toBe(true);
  lock.release();
  lock.release();
  expect(isHomeHeld(folder.path)).toBe(false);
});

test("kill -9 gives the home back at once, and what was left there isn't believed", async () => {
  await killHard(await startHolder());
  expect(existsSync(join(folder.path, "run.json"))).toBe(true);
  expect(await readRunFile(folder.path)).toBeNull();
  const lock = await holdHome(folder.path);
  expect(await readRunFile(folder.path)).toBeNull();
  lock.release();
});

test("a command that is about to end is waited for", async () => {
  const first = await holdHome(folder.path);
  const second = holdHome(folder.path, { waitMs: 20_000 });
  first.release();
  const lock = await second;
  expect(isHomeHeld(folder.path)).toBe(true);
  lock.release();
});

test("a brief command is waited for longer than a system that runs", async () => {
  const brief = await holdHome(folder.path, { brief: true });
  const waiting = holdHome(folder.path, { waitMs: 0, briefWaitMs: 60_000 });
  const refused = await Promise.race([waiting.then(() => "got it"), holdHome(folder.path).catch(() => "refused")]);
  expect(refused).toBe("refused");
  brief.release();
  const lock = await waiting;
  // What has it now is not brief.
  await expect(holdHome(folder.path, { briefWaitMs: 60_000 })).rejects.toThrow("runs in this folder");
  lock.release();
});

test("of many who want a home at once, one gets it", async () => {
  const wanted = await Promise.allSettled(Array.from({ length: 8 }, () => holdHome(folder.path)));
  const got = wanted.filter((result) => result.status === "fulfilled");
  expect(got).toHaveLength(1);
  got[0]?.value.release();
});

test("the run file tells another program where the services are, as long as its writer runs", async () => {
  const { pid } = await startHolder();
  expect(await readRunFile(folder.path)).toMatchObject({ pid, command: "casparian start", database: { readerUrl: "postgres://b" } });
});

test("the run file holds passwords, so only its owner reads it; it goes when its writer ends in order", async () => {
  const lock = await holdHome(folder.path);
  const file = await writeRunFile(folder.path, run);
  expect(statSync(join(folder.path, "run.json")).mode & 0o777).toBe(0o600);
  expect(await readRunFile(folder.path)).toEqual(run);
  await file.remove();
  expect(await readRunFile(folder.path)).toBeNull();
  lock.release();
});

test("a home in which nothing ever ran has no run file", async () => {
  expect(await readRunFile(join(folder.path, "never"))).toBeNull();
});
