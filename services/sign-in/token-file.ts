import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { SignInPolicy } from "../../domain/sign-in.ts";

/** What a sign-in leaves on this machine, for this person only. */
export interface StoredTokens {
  readonly idToken: string;
  /** Null where the server gives none: then the sign-in ends with the ID token. */
  readonly refreshToken: string | null;
}

/** In the person's own configuration, because who somebody is does not depend on the folder that they work in. */
export function tokenFile({ issuer, clientId }: Pick<SignInPolicy, "issuer" | "clientId">, env: NodeJS.ProcessEnv): string {
  const configuration = env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
  const name = createHash("sha256").update(`${issuer}\n${clientId}`).digest("hex").slice(0, 24);
  return join(configuration, "casparian", "sign-in", `${name}.json`);
}

/** Null where there is none, or one that others can read: what was in it may be known to them. */
export async function readTokens(file: string): Promise<StoredTokens | null> {
  try {
    if (((await stat(file)).mode & 0o077) !== 0) return null;
    const { idToken, refreshToken } = JSON.parse(await readFile(file, "utf8")) as StoredTokens;
    return typeof idToken === "string" ? { idToken, refreshToken: refreshToken ?? null } : null;
  } catch {
    return null;
  }
}

/** Another file in its place, so that nobody reads half of it. */
export async function writeTokens(file: string, tokens: StoredTokens): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const aside = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(aside, JSON.stringify(tokens), { mode: 0o600, flag: "wx" });
  await rename(aside, file);
}

export async function removeTokens(file: string): Promise<void> {
  await rm(file, { force: true });
}
