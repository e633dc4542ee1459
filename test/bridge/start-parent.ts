import { readFileSync } from "node:fs";
import { type Parent, startParent } from "../../bridge/parent.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";
import { pluginPath } from "./run-plugin.ts";

/** A warm parent of a plugin of test/plugins, without a pool; its inputs, scratch folders and socket are in this folder. */
export async function startParentOf(name: string, folder: string): Promise<Parent> {
  return startParent({
    plugin: { name, sourceCode: readFileSync(pluginPath(name), "utf8"), defaultOutput: "output" },
    python: testTools().environmentPython,
    inputRoots: [folder],
    scratchRoot: folder,
    socketDir: folder,
    memoryBytes: 2 ** 30,
    warm: true,
    log: quietLog,
  });
}
