#!/usr/bin/env node
// Plain JavaScript that any Node from 20 on runs: the rest of the program is TypeScript, which Node 24 runs as it is.
// On an older Node this re-executes itself with the Node 24 that comes as the npm package `node`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const nodeVersionMin = 24;

/** Commands that run a worker, whose process lives long. */
const runsWorker = process.argv.slice(2).some((argument) => ["start", "worker", "demo", "scan"].includes(argument));

/**
 * Each of a worker's threads has a young generation of its own, for which V8 takes up to 16 MB, and a malloc arena. With less of both a
 * running system stays at some 320 MB instead of 450 (measured after a hundred jobs). These can only be said before a process begins, as
 * what every thread loads first.
 */
const tuning = runsWorker
  ? {
      flags: ["--max-semi-space-size=2", `--import=${new URL("../workers/lean-threads.ts", import.meta.url).href}`],
      env: { MALLOC_ARENA_MAX: "2" },
    }
  : { flags: [], env: {} };

if (Number.parseInt(process.versions.node, 10) < nodeVersionMin) {
  reexecute(findNode());
} else if (runsWorker && process.env.CASPARIAN_TUNED === undefined && process.execve !== undefined) {
  // Becomes the tuned process: the same pid, and no second process beside it.
  const env = { ...process.env, ...tuning.env, CASPARIAN_TUNED: "1" };
  process.execve(process.execPath, [process.execPath, ...tuning.flags, ...process.execArgv, ...process.argv.slice(1)], env);
} else {
  delete process.env.CASPARIAN_REEXECUTED;
  delete process.env.CASPARIAN_TUNED;
  // Half of a short command's time is stripping types and compiling, the same each time: measured 0.53 s without and 0.22 s with this cache.
  // Where the folder can't be written it does nothing.
  module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/casparian", import.meta.url)));
  const { main } = await import("../cli/main.ts");
  await main(process.argv.slice(2));
}

function findNode() {
  const name = process.platform === "win32" ? "node.exe" : "node";
  try {
    const path = join(dirname(module.createRequire(import.meta.url).resolve("node/package.json")), "bin", name);
    // A Node that is too old would re-execute for ever.
    if (existsSync(path) && process.env.CASPARIAN_REEXECUTED === undefined) return path;
  } catch {
    // Not installed: said below.
  }
  console.error(`error: casparian needs Node ${nodeVersionMin} or newer, and this is ${process.version}`);
  console.error(`hint: run "npm ci" in ${dirname(dirname(fileURLToPath(import.meta.url)))}: it brings one along`);
  process.exit(1);
}

function reexecute(node) {
  const env = { ...process.env, ...tuning.env, CASPARIAN_REEXECUTED: "1", CASPARIAN_TUNED: "1" };
  const child = spawn(node, [...tuning.flags, ...process.argv.slice(1)], { stdio: "inherit", env });
  const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  // A terminal's Ctrl-C reaches the child by itself as well; it takes two that come at once for one.
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`error: ${node} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of forwarded) process.removeAllListeners(name);
    // Ends the way the child ended, so that whoever waits sees the signal; where that is not deadly, by the shell's number for it.
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}
