import type { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import type { PluginFolder } from "../domain/plugin.ts";

/** Why a plugin failed on a file, with the place in its own file. */
export interface TrialFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  /** Without the bridge's frames. */
  readonly traceback: string | null;
  /** The line of the plugin's file that was the last one to run; null where that isn't known. */
  readonly line: number | null;
}

interface Place {
  readonly name: string;
  readonly path: string;
  readonly folder?: PluginFolder | null | undefined;
}

/** What a failure of the bridge or of a contract says to somebody who tries a plugin out: no job, no logs, nothing to publish again. */
export function describeFailure(error: TerminalFailure | TransientFailure, plugin: Place): TrialFailure {
  const told = error.data["traceback"];
  const traceback = typeof told === "string" && told !== "" ? pointAt(told, plugin) : null;
  return {
    code: error.code,
    message: error.message,
    hint: adviceOf(error),
    traceback,
    line: traceback === null ? null : lastLine(traceback, plugin.path),
  };
}

/** Replaces the name under which the bridge compiles the plugin by the path of its file. */
export function pointAt(text: string, { name, path, folder }: Place): string {
  const [file, shown] = [folder?.entry ?? `${name}.py`, () => path] as const;
  return text
    .replaceAll(`"${file}", line `, () => `"${path}", line `)
    .replace(new RegExp(`^${RegExp.escape(file)}(?=:\\d+:)`, "gm"), shown);
}

function lastLine(traceback: string, path: string): number | null {
  const place = traceback.split("\n").findLast((line) => line.trimStart().startsWith(`File "${path}", line `));
  const number = /, line (\d+)/.exec(place ?? "")?.[1];
  return number === undefined ? null : Number(number);
}

const advice: Readonly<Record<string, string>> = {
  PLUGIN_RAISED: "Mend the line and try again; with --watch it is tried again whenever the file is saved.",
  CONTRACT_DRIFT: "Mend the plugin's columns, or the contract: its columns, or its policy (evolve, quarantine).",
  PLUGIN_TIME_LIMIT: "What it printed may show what it was doing. The limit is plugin_seconds under [limits] in casparian.toml.",
};

function adviceOf({ code, hint }: TerminalFailure | TransientFailure): string | null {
  const own = advice[code];
  if (own !== undefined) return own;
  return hint?.replace(/ and publish (?:it|the plugin) again/, "").replace(/[,;] then retry the job/, "") ?? null;
}
