import { readSettings, type Flags, type Settings } from "../config/settings.ts";
import type { Log } from "../domain/log.ts";
import { Interrupted } from "./interrupted.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

/** What every verb works with; made once for the process. */
export interface Shell {
  readonly terminal: Terminal;
  /** To stderr: warnings and errors, and everything with `--debug`. */
  readonly log: Log;
  readonly debug: boolean;
  /** Aborted with an Interrupted by the first Ctrl-C or SIGTERM; the verb then tidies up and ends. A second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Read on first use, because help needs none; with a verb's own flags beside the global ones. Throws WrongUse for what is wrong in them. */
  readonly settings: (flags?: Flags) => Settings;
}

/** The options that every verb has. */
export interface GlobalOptions {
  readonly home?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
  readonly database?: string;
  readonly temporal?: string;
}

export function createShell(options: GlobalOptions): Shell {
  const terminal = createTerminal({ json: options.json === true });
  let settings: Settings | undefined;
  return {
    terminal,
    log: createLog(terminal, options.debug === true),
    debug: options.debug === true,
    signal: abortOnSignals(),
    settings: (flags) => (settings ??= read(options, flags)),
  };
}

function read({ home, database, temporal, debug }: GlobalOptions, flags: Flags = {}): Settings {
  return readSettings({ home, flags: { database, temporal, logLevel: debug === true ? "debug" : undefined, ...flags } });
}

/** Signals this soon after the first are the same one: a terminal tells the whole group, and a parent that passes signals on tells it again. */
const sameSignalMs = 500;

function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const interrupted = new Interrupted(signal);
      if (first === 0) {
        first = Date.now();
        controller.abort(interrupted);
      } else if (Date.now() - first > sameSignalMs) {
        process.exit(interrupted.exitCode);
      }
    });
  }
  return controller.signal;
}

function createLog(terminal: Terminal, debug: boolean): Log {
  const write = (level: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const facts = Object.entries(fields).map(([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    terminal.note(`${level}: ${message}${facts.join("")}`);
  };
  return {
    debug: (message, fields) => debug && write("debug", message, fields),
    info: (message, fields) => debug && write("info", message, fields),
    warn: (message, fields) => write("warning", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}
