import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { generateKey, readKey, type SigningKey } from "../bridge/signing-key.ts";
import { readTrustedKeys } from "../bridge/trusted-keys.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { requireName } from "../domain/name.ts";
import { closest } from "../domain/suggest.ts";

export type { SigningKey } from "../bridge/signing-key.ts";

/** Where this person's private keys are, and what opens them. */
export interface KeyRing {
  readonly folder: string;
  readonly passphrase?: string | undefined;
}

/** `CASPARIAN_KEYS`, or `casparian/keys` in the person's configuration; `CASPARIAN_KEY_PASSPHRASE` encrypts and opens. */
export function ownKeyRing(env: NodeJS.ProcessEnv): KeyRing {
  const configuration = env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
  return {
    folder: env["CASPARIAN_KEYS"] || join(configuration, "casparian", "keys"),
    passphrase: env["CASPARIAN_KEY_PASSPHRASE"] || undefined,
  };
}

export interface KeyFile {
  readonly name: string;
  readonly publicKey: string;
  readonly file: string;
  /** Whether the private key is encrypted. */
  readonly encrypted: boolean;
}

/** Makes a private key that only this person can read. Throws WrongUse for a name that is taken or can't be one. */
export async function createKey(ring: KeyRing, name: string): Promise<KeyFile> {
  requireName(name, "a key");
  const { publicKey, pem } = generateKey(ring.passphrase);
  const file = fileOf(ring, name);
  await mkdir(ring.folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, pem, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new WrongUse(`there is a key ${name} already: ${file}`, "A key is never overwritten; take another name");
  }
  // Beside it, so that it can be told without the passphrase.
  await writeFile(publicFileOf(ring, name), `${publicKey}\n`);
  return { name, publicKey, file, encrypted: ring.passphrase !== undefined };
}

/** A key of this person's, or one that is trusted on this machine, or both. */
export interface KnownKey {
  readonly publicKey: string;
  /** What it is trusted as; null where it is not. */
  readonly trustedAs: string | null;
  /** Its name in this person's ring; null where it is somebody else's. */
  readonly own: string | null;
}

export async function listKeys(ring: KeyRing, trustedKeysFile: string): Promise<readonly KnownKey[]> {
  const trusted = readTrustedKeys(trustedKeysFile);
  const names = await keyNames(ring);
  const own = new Map<string, string>();
  for (const name of names) own.set((await readFile(publicFileOf(ring, name), "utf8").catch(() => "?")).trim(), name);
  return [...new Set([...own.keys(), ...trusted.keys()])].map((publicKey) => ({
    publicKey,
    trustedAs: trusted.get(publicKey) ?? null,
    own: own.get(publicKey) ?? null,
  }));
}

async function keyNames(ring: KeyRing): Promise<readonly string[]> {
  const names = await readdir(ring.folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .toSorted();
}

/**
 * Opens one of this person's keys; without a name their only one. Throws WrongUse where there is none of that name, several and none named,
 * or the passphrase is missing or wrong.
 */
export async function openKey(ring: KeyRing, name?: string): Promise<SigningKey> {
  const chosen = name ?? (await onlyKey(ring));
  const file = fileOf(ring, chosen);
  const pem = await readFile(file, "utf8").catch(() => undefined);
  if (pem === undefined) {
    const near = closest(chosen, await keyNames(ring));
    throw new WrongUse(
      `there is no key ${chosen} in ${ring.folder}`,
      near === null ? "Make one: casparian key new NAME" : `Did you mean ${near}?`,
    );
  }
  try {
    return readKey(pem, ring.passphrase);
  } catch (error) {
    const hint = isEncrypted(pem) ? "Set CASPARIAN_KEY_PASSPHRASE to its passphrase" : "Make a new one: casparian key new NAME";
    throw new WrongUse(`the key ${file} can't be opened: ${messageOf(error)}`, hint);
  }
}

async function onlyKey(ring: KeyRing): Promise<string> {
  const names = await keyNames(ring);
  const [only, ...others] = names;
  if (only === undefined) throw new WrongUse(`there is no key in ${ring.folder}`, "Make one: casparian key new NAME");
  if (others.length > 0) throw new WrongUse(`there are several keys: ${names.join(", ")}`, "Say which: --key NAME");
  return only;
}

const suffix = ".pem";

function fileOf(ring: KeyRing, name: string): string {
  return join(ring.folder, `${name}${suffix}`);
}

function publicFileOf(ring: KeyRing, name: string): string {
  return join(ring.folder, `${name}.pub`);
}

function isEncrypted(pem: string): boolean {
  return pem.includes("ENCRYPTED");
}
