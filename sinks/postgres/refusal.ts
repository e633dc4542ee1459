import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { isDatabaseTrouble } from "../../db/pool.ts";

/**
 * Runs `work` on a server; what the server refuses becomes SINK_REFUSED or, where trying again may help, SINK_UNREACHABLE, in its own words.
 * `doing` begins the message: `postgres://host:5432/lake: public.trades can't be written`.
 */
export async function onServer<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asSinkFailure(doing, error);
  }
}

export function asSinkFailure(doing: string, error: unknown): unknown {
  if (error instanceof TerminalFailure || error instanceof TransientFailure) return error;
  const state = sqlState(error);
  const detail = { message: `${doing}: ${wordsOf(error)}`, data: { sqlState: state ?? null }, cause: error };
  if (isPassing(error, state)) return new TransientFailure({ ...detail, code: "SINK_UNREACHABLE" });
  if (/password must be a string|no password supplied/i.test(messageOf(error)))
    return new TerminalFailure({
      ...detail,
      code: "SINK_REFUSED",
      message: `${doing}: the server asks for a password, and none is set`,
      hint: passwordHint,
    });
  if (state === undefined) return error;
  return new TerminalFailure({ ...detail, code: "SINK_REFUSED", hint: hintFor(state) });
}

/** The code that the server gave; undefined for what isn't from a server. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** Beside what is true of every database: no memory at the moment, a statement that an administrator ended, a lock that was waited for. */
const passing = new Set(["53200", "57014", "55P03", "25P03", "57P05"]);

function isPassing(error: unknown, state: string | undefined): boolean {
  if (state !== undefined && passing.has(state)) return true;
  return isDatabaseTrouble(error) || /^(Connection terminated|Connection ended|timeout exceeded|read ECONN)/.test(messageOf(error));
}

/** The server's message with what it adds to it, where in the data it stands among that. */
function wordsOf(error: unknown): string {
  const { detail, where } = error as { readonly detail?: unknown; readonly where?: unknown };
  // `COPY "staged_…", line 3, column note` names a table of ours, and lines are rows.
  const [, row, column] = /^COPY .*, line (\d+)(?:, column ([^\n]*))?/.exec(typeof where === "string" ? where : "") ?? [];
  const place = row === undefined ? "" : `row ${row}${column === undefined ? "" : ` of column "${column}"`}: `;
  return `${place}${messageOf(error) || "it does not answer"}${typeof detail === "string" ? ` (${detail})` : ""}`;
}

const passwordHint =
  "Set password_env or password_file for the connection in casparian.toml, or PGPASSWORD or PGPASSFILE where the workers are started";

const hints: Readonly<Record<string, string>> = {
  "28P01": passwordHint,
  "28000": "Check the user, and that the server's pg_hba.conf lets it in from this machine",
  "3D000": "Create the database, or correct the topic's URI",
  "42501": "Grant the sink's user what it lacks, then retry the job",
  "53100": "Free room on the server's disk, then retry the job",
  "22021": "Postgres keeps text as UTF-8 and without zero bytes: clean it in the plugin, or yield the column as binary",
  "22P05": "Postgres keeps text as UTF-8 and without zero bytes: clean it in the plugin, or yield the column as binary",
  "25006": "The server only reads: name the primary server in the topic's URI",
};

function hintFor(state: string): string {
  return hints[state] ?? "Correct the table or what the plugin yields, then retry the job";
}
