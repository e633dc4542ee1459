import type { Command } from "commander";
import type { Shell } from "./shell.ts";

/** A verb's file: it makes its command, with options and help, and runs it. */
export interface VerbModule {
  readonly createCommand: (shell: Shell) => Command;
}

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Only the verb that is asked for is loaded, so that each one starts quickly. */
  readonly load: () => Promise<VerbModule>;
}

/** In the order in which a newcomer needs them. */
export const verbs: readonly Verb[] = [
  { name: "demo", summary: "see it work: real files become tables", load: () => import("./demo.ts") },
  { name: "start", summary: "run the whole system here until Ctrl-C", load: () => import("./start.ts") },
  { name: "worker", summary: "run one more worker, also on another machine", load: () => import("./worker.ts") },
  { name: "status", summary: "what runs, where, and how much is done", load: () => import("./status.ts") },
  { name: "doctor", summary: "find out why nothing happens, or not enough", load: () => import("./doctor.ts") },
  { name: "source", summary: "the folders that files come from", load: () => import("./source.ts") },
  { name: "scan", summary: "look for new and changed files now", load: () => import("./scan.ts") },
  { name: "rule", summary: "which files go to which plugin, and their tags", load: () => import("./rule.ts") },
  { name: "preview", summary: "what a file is, and a plugin that reads it", load: () => import("./preview.ts") },
  { name: "plugin", summary: "write, try, publish and choose the code that reads files", load: () => import("./plugin.ts") },
  { name: "env", summary: "the Python environments that are built here", load: () => import("./env.ts") },
  { name: "runner", summary: "run plugins for a worker elsewhere; whom a worker trusts", load: () => import("./runner.ts") },
  { name: "key", summary: "keys that sign plugins, and whose are trusted", load: () => import("./key.ts") },
  { name: "login", summary: "sign in, where publishing requires it", load: () => import("./login.ts") },
  { name: "logout", summary: "forget the sign-in of this machine", load: () => import("./logout.ts") },
  { name: "whoami", summary: "who is signed in here", load: () => import("./whoami.ts") },
  { name: "topic", summary: "where a plugin's rows go", load: () => import("./topic.ts") },
  { name: "contract", summary: "what rows must look like, and what becomes of others", load: () => import("./contract.ts") },
  { name: "quarantine", summary: "rows that were set aside, and why", load: () => import("./quarantine.ts") },
  { name: "backfill", summary: "queue files on record that a plugin has not had", load: () => import("./backfill.ts") },
  { name: "replay", summary: "have a chosen version process files on record", load: () => import("./replay.ts") },
  { name: "jobs", summary: "what was done, what failed and why; retry, cancel", load: () => import("./jobs.ts") },
  { name: "files", summary: "the files on record", load: () => import("./files.ts") },
  { name: "versions", summary: "all versions of one file", load: () => import("./versions.ts") },
  { name: "snapshots", summary: "the copies of contents: how much, whether intact", load: () => import("./snapshots.ts") },
  { name: "lineage", summary: "which bytes and which code made which rows", load: () => import("./lineage.ts") },
  { name: "query", summary: "query the rows, by SQL over all outputs", load: () => import("./query.ts") },
  { name: "sql", summary: "query the record, read-only", load: () => import("./sql.ts") },
];
