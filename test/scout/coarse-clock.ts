import { lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sameStat, type FileStat } from "../../domain/file-version.ts";
import { hashTasks } from "../../scout/hash.ts";
import { toFileStat } from "../../scout/stat.ts";

/**
 * A program that changes a file in a folder again and again under the same size, and tells how many changes left the same stat: of those
 * right after another (`unnoticed`), and of those right after the file was hashed (`missed`). `node coarse-clock.ts FOLDER`.
 */
const path = join(process.argv[2]!, "f");
const change = (content: string): FileStat => {
  writeFileSync(path, content);
  return toFileStat(lstatSync(path, { bigint: true }));
};

let [unnoticed, missed] = [0, 0];
for (let round = 0; round < 100; round += 1) {
  if (sameStat(change("1"), change("2"))) unnoticed += 1;
  const stat = change("3");
  const hashing = hashTasks([{ path, stat }]);
  let step = hashing.next();
  while (step.done !== true) step = hashing.next();
  const wasHashed = step.value[0]?.outcome === "HASHED";
  if (wasHashed && sameStat(stat, change("4"))) missed += 1;
}
console.log(JSON.stringify({ unnoticed, missed }));
