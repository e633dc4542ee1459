import { readFileSync } from "node:fs";
import type { WatchMode } from "../db/source-root.ts";
import { watchSource } from "../scout/watch/watch-source.ts";
import { benchLog } from "./log.ts";
import { peakMemoryOf } from "./peak-memory.ts";

/** Watches a folder in one way, and prints how long it took and the peak memory of the process that watches. */
const [, , watch, path] = process.argv as unknown as readonly [string, string, WatchMode, string];
const began = performance.now();
const watcher = watchSource({ path, watch, onHint: () => {}, log: benchLog });
if (!(await watcher.ready)) throw new Error(`${path} can't be watched with ${watch}`);
const readyMs = performance.now() - began;
const [child] = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ");
const peakBytes = peakMemoryOf(child || "self");
await watcher.close();
console.log(JSON.stringify({ readyMs, peakBytes }));
