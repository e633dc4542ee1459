import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";

/**
 * Runs `work` on a server; what the server refuses becomes SINK_REFUSED or, where trying again may help, SINK_UNREACHABLE, in its own words.
 * `doing` begins the message: `connection erp (mssql://sink@host/books): dbo.trades can't be written`.
 */
export async function onServer<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asSinkFailure(doing, error);
  }
}

/** What SQL Server and its driver tell of themselves. */
interface ServerError {
  readonly code?: unknown;
  readonly number?: unknown;
}

function asSinkFailure(doing: string, error: unknown): unknown {
  const all = causesOf(error);
  const ours = all.find((each) => each instanceof TerminalFailure || each instanceof TransientFailure);
  if (ours !== undefined) return ours;
  const numbers = all.map((each) => (each as ServerError).number).filter((number) => typeof number === "number");
  const codes = all.map((each) => (each as ServerError).code).filter((code) => typeof code === "string");
  const detail = { message: `${doing}: ${wordsOf(error)}`, data: { errorNumber: numbers[0] ?? null }, cause: error };
  const isPassing = numbers.some((number) => passing.has(number));
  if (isPassing || (numbers.length === 0 && codes.some((code) => broken.has(code))))
    return new TransientFailure({ ...detail, code: "SINK_UNREACHABLE" });
  const certificate = codes.find((code) => /CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_/.test(code));
  if (certificate !== undefined) return new TerminalFailure({ ...detail, code: "SINK_REFUSED", hint: certificateHint });
  // Connecting ends with a code of the driver's, whatever the operating system said.
  if (codes.includes("ESOCKET")) return new TransientFailure({ ...detail, code: "SINK_UNREACHABLE" });
  if (codes.includes("ELOGIN"))
    return new TerminalFailure({ ...detail, code: "SINK_REFUSED", hint: hints[numbers[0] ?? 18_456] ?? loginHint });
  if (numbers.length === 0) return error;
  const hint = numbers.map((number) => hints[number]).find((each) => each !== undefined);
  return new TerminalFailure({
    ...detail,
    code: "SINK_REFUSED",
    hint: hint ?? "Correct the table or what the plugin yields, then retry the job",
  });
}

/** An error, the errors that it stands for, and what these came from. */
function causesOf(error: unknown): readonly Error[] {
  if (!(error instanceof Error)) return [];
  const several = error instanceof AggregateError ? error.errors.flatMap(causesOf) : [];
  return [error, ...several, ...causesOf(error.cause)];
}

/** Of several errors of one statement the first says why, the others that it was ended. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join(" ");
  return messageOf(error) || "it does not answer";
}

/** The driver's codes for a connection that can't be had, or that was lost. */
const broken = new Set([
  "ETIMEOUT",
  "EINSTLOOKUP",
  "ECLOSE",
  "ENOTOPEN",
  "EINVALIDSTATE",
  "ECANCEL",
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
]);

/**
 * Errors that pass. Sources: SQL Server, "Database engine events and errors"; Azure SQL, "Troubleshoot transient connection errors"; the list of
 * Microsoft's SqlClient.
 */
const passing = new Set([
  // Deadlocks, locks, conflicts of versions, memory.
  1204, 1205, 1222, 3960, 701, 802, 8645, 8651,
  // The network, and waiting for a login.
  64, 233, 10_053, 10_054, 10_060, 18_401, 4221,
  // A database or server that starts, recovers, fails over or shuts down.
  904, 921, 922, 927, 976, 983, 6005, 6006, 17_142, 17_197,
  // Throttling.
  10_928, 10_929, 10_936, 40_143, 40_197, 40_501, 40_540, 40_549, 40_550, 40_613, 49_918, 49_919, 49_920,
]);

const loginHint = "Check the user in the connection's url, and its password_env or password_file, then retry the job";
const permissionHint =
  "Grant the sink's user what it lacks: create table, and the schema _casparian with all rights on it; select, insert, delete and alter on the table";
const roomHint = "Free room on the server, or let the database grow, then retry the job";
const widthHint = "Yield fewer or narrower columns, or several outputs: a row of SQL Server takes 8,060 bytes beside its long texts";
const certificateHint =
  "Have the server's certificate signed by an authority that Node knows (NODE_EXTRA_CA_CERTS), or set trustServerCertificate=true in the connection's url";

const hints: Readonly<Record<number, string>> = {
  18_456: loginHint,
  18_452: "SQL Server takes no login with this user: only SQL Server logins are supported, not Windows ones",
  18_486: "The login is locked out: unlock it, then retry the job",
  18_487: "The password has expired: change it, then retry the job",
  18_488: "The password must be changed first",
  4060: "Correct the database in the connection's url, or give the user access to it",
  229: permissionHint,
  230: permissionHint,
  262: permissionHint,
  297: permissionHint,
  300: permissionHint,
  2760: "Create the schema, or correct the topic's URI; the sink's user needs the right to use it",
  2759: permissionHint,
  1088: permissionHint,
  3906: "The database only reads: name the primary server in the connection's url",
  1101: roomHint,
  1105: roomHint,
  9002: roomHint,
  511: widthHint,
  1701: widthHint,
  1702: "Yield fewer columns: a table has 1,024 at most, with those that it has already",
  2705: "Rename one of the columns in the plugin: by the database's collation they have one name",
  2714: "Name another table in the topic's URI: something else has this name",
};
