import { readFileSync } from "node:fs";
import type { WatchMode } from "../db/source-root.ts";
import { watchSource } from "../scout/watch/watch-source.ts";

/** Watches a folder in one way, and prints how long it took and the peak memory of the process that watches. */
const [, , watch, path] = process.argv as unknown as readonly [string, string, WatchMode, string];
const quiet = (): void => {};
const began = performance.now();
const watcher = watchSource({ path, watch, onHint: quiet, log: { debug: quiet, info: quiet, warn: console.error, error: console.error } });
if (!(await watcher.ready)) throw new Error(`${path} can't be watched with ${watch}`);
const readyMs = performance.now() - began;
const [child] = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ");
const status = readFileSync(`/proc/${child || "self"}/status`, "utf8");
const peakBytes = Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
await watcher.close();
console.log(JSON.stringify({ readyMs, peakBytes }));
