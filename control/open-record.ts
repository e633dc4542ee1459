import { migrate } from "../db/migrate.ts";
import { isDatabaseTrouble, openDatabase, type Database } from "../db/pool.ts";
import { messageOf, ServiceUnreachable } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

/**
 * Connects to the record and brings it to this program's schema; somebody who may only read it gets it as it is.
 * Throws ServiceUnreachable and TerminalFailure as `openDatabase` and `migrate` do. The caller ends it.
 */
export async function openRecord(url: string, log: Log): Promise<Database> {
  // A command asks one thing after the other; three connections are enough for the few that it asks side by side.
  const db = openDatabase(url, { max: 3, applicationName: "casparian" });
  try {
    await migrate(db, { log });
  } catch (error) {
    if (!isRefused(error)) {
      await db.end();
      throw error;
    }
    log.debug("the record's schema was not checked, because this database user may only read", { reason: messageOf(error) });
  }
  return db;
}

/** A connection that broke under a query or a call is a service that can't be reached, whatever the driver calls it. */
export function asServiceTrouble(error: unknown): unknown {
  if (error instanceof ServiceUnreachable) return error;
  const service = isDatabaseTrouble(error) ? "the database" : isTemporalTrouble(error) ? "Temporal" : null;
  if (service === null) return error;
  return new ServiceUnreachable({
    message: `${service} stopped answering: ${messageOf(error)}`,
    hint: "Run the command again when it is back; nothing was half done",
    cause: error,
  });
}

/** gRPC's status UNAVAILABLE, which the SDK wraps. */
function isTemporalTrouble(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) if ("code" in inner && inner.code === 14) return true;
  return false;
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "42501" || error.code === "25006");
}
