import { isPublicKey } from "../bridge/signing-key.ts";
import { readTrustedKeys, writeTrustedKeys } from "../bridge/trusted-keys.ts";
import { insertAudit } from "../db/audit.ts";
import { WrongUse } from "../domain/failure.ts";
import { requireName } from "../domain/name.ts";
import type { ControlContext } from "./context.ts";

export interface TrustChange {
  readonly name: string;
  readonly publicKey: string;
  /** False where it was so before. */
  readonly changed: boolean;
}

/** Trusts a public key under a name on this machine. Throws WrongUse for a text that is none, and for a name that stands for another key. */
export async function trustKey({ db, actor }: ControlContext, file: string, name: string, publicKey: string): Promise<TrustChange> {
  requireName(name, "a key");
  if (!isPublicKey(publicKey))
    throw new WrongUse(`"${publicKey}" is no public key`, "Give it as casparian key list shows it: ed25519: and 44 characters");
  const keys = new Map(readTrustedKeys(file));
  const [other] = [...keys].find(([key, known]) => known === name && key !== publicKey) ?? [];
  if (other !== undefined)
    throw new WrongUse(`${name} is trusted with another key, ${other}`, `Take that away first: casparian key distrust ${name}`);
  if (keys.get(publicKey) === name) return { name, publicKey, changed: false };
  await writeTrustedKeys(file, keys.set(publicKey, name));
  await insertAudit(db, { actor, action: "key.trust", subject: name, detail: { publicKey, file } });
  return { name, publicKey, changed: true };
}

/** Takes a key's trust away on this machine, from the next run on. Throws WrongUse for a name or key that is not trusted. */
export async function distrustKey({ db, actor }: ControlContext, file: string, nameOrKey: string): Promise<TrustChange> {
  const keys = new Map(readTrustedKeys(file));
  const found = [...keys].find(([key, name]) => key === nameOrKey || name === nameOrKey);
  if (found === undefined) {
    const names = [...keys.values()].join(", ");
    throw new WrongUse(`no key "${nameOrKey}" is trusted here`, names === "" ? `There is none in ${file}` : `Trusted: ${names}`);
  }
  const [publicKey, name] = found;
  keys.delete(publicKey);
  await writeTrustedKeys(file, keys);
  await insertAudit(db, { actor, action: "key.distrust", subject: name, detail: { publicKey, file } });
  return { name, publicKey, changed: true };
}
