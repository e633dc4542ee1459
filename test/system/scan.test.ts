import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test, vi } from "vitest";
import { program } from "../support/command.ts";
import { testProduct } from "../support/product.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct({ settleMs: 0 });

/** Takes no space, and would take an hour to hash. */
async function writeHugeFile(path: string): Promise<void> {
  await using file = await open(path, "w");
  await file.truncate(2 * 1024 ** 4);
}

async function lastScan(): Promise<{ readonly state: string }> {
  const [source] = await product.json<readonly { readonly lastScan: { readonly state: string } }[]>("source", "list");
  return source!.lastScan;
}

/** Begins a scan, waits until it tells how far it is, and presses Ctrl-C. */
async function scanAndInterrupt(): Promise<{ readonly stderr: string; readonly exitCode?: number | undefined; readonly seconds: number }> {
  const scanning = execa(process.execPath, [program, "--home", product.home, "scan", "--wait"], { reject: false });
  let stderr = "";
  scanning.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  while (!/0 of 1 hashed \([\d.]+ [MG]B\)/.test(stderr)) await once(scanning.stderr, "data");
  const start = performance.now();
  scanning.kill("SIGINT");
  const { exitCode } = await scanning;
  return { stderr, exitCode, seconds: (performance.now() - start) / 1000 };
}

test("a scan shows how far it is, and Ctrl-C ends it in the middle of a huge file", async () => {
  await writeHugeFile(join(product.inbox, "huge"));
  const { stderr, exitCode, seconds } = await scanAndInterrupt();
  expect(stderr).toMatch(/Scanning inbox: 1 file seen, 0 of 1 hashed \([\d.]+ [MG]B\), 0 files\/s, [\d.]+ [MG]B\/s/);
  expect(exitCode).toBe(130);
  expect(seconds).toBeLessThan(30);
  expect(await lastScan()).toMatchObject({ state: "CANCELLED" });
});

test("Ctrl-C leaves alone what somebody else's scan is doing", async () => {
  await product.start();
  await vi.waitFor(async () => expect(await lastScan()).toMatchObject({ state: "RUNNING" }), { ...patience, interval: 200 });
  const { exitCode } = await scanAndInterrupt();
  expect(exitCode).toBe(130);
  expect(await lastScan()).toMatchObject({ state: "RUNNING" });
});
