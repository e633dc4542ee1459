import { hostname, userInfo } from "node:os";
import type { Client } from "@temporalio/client";
import type { Database } from "../db/pool.ts";
import type { Identity } from "../domain/sign-in.ts";

/** What every use case works with. */
export interface ControlContext {
  readonly db: Database;
  /** Who does it, for the audit trail: `user@host`. */
  readonly actor: string;
  /** Null where Temporal is not running; changes of the record don't need it. */
  readonly temporal: Client | null;
  /** Where the configuration asks those to sign in who change which code runs: tells who does, or throws. */
  readonly signIn?: (() => Promise<Identity>) | undefined;
}

/** The person at this machine's keyboard, as the operating system knows them. */
export function localActor(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that nobody gave a name.
    return String(process.getuid?.() ?? "unknown");
  }
}
