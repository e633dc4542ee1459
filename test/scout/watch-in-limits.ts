import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { WatchMode } from "../../db/source-root.ts";
import { watchSource } from "../../scout/watch/watch-source.ts";

/** Watches a folder, makes some new ones in it once it is watched, and prints what is warned of and whether watching began, when it has ended. */
const [, , watch, root] = process.argv as unknown as readonly [string, string, WatchMode, string];
const warnings: unknown[] = [];
const { promise: warned, resolve: onWarning } = Promise.withResolvers<void>();
const quiet = (): void => {};
const watcher = watchSource({
  path: root,
  watch,
  onHint: quiet,
  log: {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn(message, fields) {
      warnings.push({ message, ...fields });
      onWarning();
    },
  },
});
const ready = await watcher.ready;
for (let index = 0; ready && index < 10; index += 1) mkdirSync(join(root, `new-${index}`));
await Promise.race([warned, setTimeout(15_000, undefined, { ref: false })]);
await watcher.close();
console.log(JSON.stringify({ ready, warnings }));
