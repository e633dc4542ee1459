import { createSinks } from "../../sinks/registry.ts";
import type { StagedOutput } from "../../sinks/sink.ts";

/** Run as `node commit-staged.ts STAGED REPLACED`, both JSON: says that it begins, and commits what another process has staged. */
const [staged, replaced] = process.argv.slice(2).map((text) => JSON.parse(text) as unknown) as [StagedOutput, readonly StagedOutput[]];
console.log("begun");
const sinks = createSinks({ baseDir: "/nowhere" });
await sinks.forUri(staged.uri).commit(staged, replaced);
await sinks.close();
