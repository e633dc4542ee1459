import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addRule } from "../control/add-rule.ts";
import { addSource } from "../control/add-source.ts";
import type { ControlContext } from "../control/context.ts";
import { localActor } from "../control/context.ts";
import { listJobs, type JobRow } from "../control/list-jobs.ts";
import { publishPlugin } from "../control/publish-plugin.ts";
import type { Settings } from "../config/settings.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { startSystem, type System } from "../workers/system.ts";
import { followJobs } from "./follow-jobs.ts";
import { prepareFolder } from "./prepare-folder.ts";
import { verifyResults, type Verification } from "./verify-results.ts";

export interface DemoOptions {
  /** Of the demo's own folder, all embedded. */
  readonly settings: Settings;
  readonly log: Log;
  /** A heading, a result: a line that stays. */
  readonly say: (line: string) => void;
  /** What is being done, until the next line. */
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface DemoResult extends Verification {
  readonly folder: string;
  readonly jobs: readonly JobRow[];
  readonly temporalUi: string | null;
}

const pluginFolder = new URL("plugins/", import.meta.url).pathname;

/**
 * The main job on real files, as a user would do it: publish three plugins, add a folder, see its files become tables, edit one of them
 * in place, see its second version, and check everything by other means. What it made stays in the folder; the system is stopped.
 * Throws TerminalFailure DEMO_UNVERIFIED where a check fails.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { settings, log, say, onProgress } = options;
  const inbox = await prepareFolder(settings);
  say(`Casparian Flow, demo in ${settings.home}`);
  const system = await startSystem({ settings, log, command: "demo", scout: "all", onProgress });
  try {
    say(`PostgreSQL, Temporal and a worker run. Temporal's Web UI: ${system.urls.temporalUi}`);
    return await showMainJob(system, inbox, options);
  } finally {
    onProgress("Stopping");
    await system.stop();
  }
}

async function showMainJob(system: System, inbox: string, options: DemoOptions): Promise<DemoResult> {
  const { settings, say } = options;
  const context: ControlContext = { db: system.db, actor: localActor(), temporal: system.client };
  say("\n1. Publish plugins: Python files, their packages locked");
  await publishPlugins(context, system, options);

  say("\n2. Add a source: three tables of nycflights13, watched from now on");
  await addSource(context, { name: "nycflights", path: inbox, settings: { settleMs: 500 }, ownFolders: [join(settings.home, "output")] });
  await followJobs(context, { ended: 3, ...options });

  say("\n3. Edit airports.csv in place, as people do");
  const before = join(settings.home, "before");
  await mkdir(before);
  await copyFile(join(inbox, "airports.csv"), join(before, "airports.csv"));
  await writeFile(join(inbox, "airports.csv"), correctAirports(await readFile(join(inbox, "airports.csv"), "utf8")));
  await followJobs(context, { ended: 4, ...options });

  say("\n4. Check it by other means: sources counted by Python's csv, results read by pyarrow");
  const { jobs } = await listJobs(context, { limit: 10 });
  const verification = await verifyResults({ context, jobs, inbox, before, settings });
  for (const { name, passed, detail } of verification.checks) say(`   ${passed ? "✓" : "✗"} ${name}${detail === "" ? "" : `: ${detail}`}`);
  const failed = verification.checks.filter((check) => !check.passed);
  if (failed.length > 0) {
    throw new TerminalFailure({
      code: "DEMO_UNVERIFIED",
      message: `${failed.length} of ${verification.checks.length} checks failed: ${failed.map((check) => check.name).join("; ")}`,
      hint: `What it made is in ${settings.home}`,
    });
  }
  return { folder: settings.home, jobs, temporalUi: system.urls.temporalUi, ...verification };
}

async function publishPlugins(context: ControlContext, system: System, { say, onProgress }: DemoOptions): Promise<void> {
  for (const name of ["airports", "planes", "weather"]) {
    onProgress(`Publishing ${name}.py`);
    const { plugin, rules } = await publishPlugin(context, {
      file: join(pluginFolder, `${name}.py`),
      force: false,
      backfill: false,
      tools: system.tools,
    });
    // The old SDK's form declares no pattern, so an operator routes files to it.
    if (rules.length === 0) await addRule(context, { pattern: "planes*.csv", plugin: name, backfill: false });
    const takes = rules.length === 0 ? "planes*.csv, by a rule of the operator" : rules.map((rule) => rule.pattern).join(", ");
    say(`   ${plugin.name}@${plugin.version} takes ${takes}`);
  }
}

/** Gives one airport its full name and adds a row at the end: another content under the same name. */
function correctAirports(csv: string): string {
  return `${csv.replace("Lansdowne Airport", "Lansdowne Airport (Youngstown)").trimEnd()}\nZZZ,Demonstration Field,40.0,-80.0,1000,-5,A,America/New_York\n`;
}
