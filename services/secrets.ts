import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TerminalFailure } from "../domain/failure.ts";

/** Passwords of the embedded database. */
export interface Secrets {
  /** Of the superuser `casparian`. */
  readonly database: string;
  /** Of the read-only user `casparian_auditor`. */
  readonly auditor: string;
}

const shape = z.object({ database: z.string().min(1), auditor: z.string().min(1) });

/**
 * Reads `<stateDir>/secrets.json`, or makes it once, readable for its owner only. `fresh` says that it was just made.
 * Throws TerminalFailure SECRETS_DAMAGED for a file that it doesn't understand.
 */
export async function readSecrets(stateDir: string): Promise<{ readonly secrets: Secrets; readonly fresh: boolean }> {
  const file = join(stateDir, "secrets.json");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text !== undefined) return { secrets: parse(text, file), fresh: false };
  // base64url needs no escaping in a URL or in SQL.
  const secrets: Secrets = { database: randomBytes(24).toString("base64url"), auditor: randomBytes(24).toString("base64url") };
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(temporary, file);
  return { secrets, fresh: true };
}

function parse(text: string, file: string): Secrets {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new TerminalFailure({
      code: "SECRETS_DAMAGED",
      message: `${file} can't be understood`,
      hint: "Remove it: new passwords are made and set at the next start",
      cause,
    });
  }
}
