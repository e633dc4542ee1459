import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";

/** Ed25519 (RFC 8032). A public key is written `ed25519:` and its 32 bytes in base64, a signature `KEY:` and its 64 bytes. */
const publicForm = /^ed25519:[A-Za-z0-9+/]{43}=$/;
const signatureForm = /^(ed25519:[A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{86}==)$/;

/** What precedes the 32 bytes in the key's DER form (RFC 8410). */
const derPrefix = Buffer.from("302a300506032b6570032100", "hex");

export interface SigningKey {
  readonly publicKey: string;
  readonly sign: (text: string) => string;
}

/** A new key: its private part as PKCS #8 PEM, encrypted where there is a passphrase. */
export function generateKey(passphrase?: string): { readonly publicKey: string; readonly pem: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const encryption = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return { publicKey: writePublic(publicKey), pem: String(privateKey.export({ format: "pem", type: "pkcs8", ...encryption })) };
}

/** Throws where the PEM is no Ed25519 key, or the passphrase is missing or wrong. */
export function readKey(pem: string, passphrase?: string): SigningKey {
  const privateKey = createPrivateKey({ key: pem, format: "pem", ...(passphrase === undefined ? {} : { passphrase }) });
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`it is a key of type ${privateKey.asymmetricKeyType}, not ed25519`);
  const publicKey = writePublic(createPublicKey(privateKey));
  return { publicKey, sign: (text) => `${publicKey}:${signBytes(null, Buffer.from(text), privateKey).toString("base64")}` };
}

/** Whether the text has the form of a public key. */
export function isPublicKey(text: string): boolean {
  return publicForm.test(text);
}

/** The public key whose signature it is over the text; null where it is none. */
export function signerOf(signature: string, text: string): string | null {
  const [, publicKey, bytes] = signatureForm.exec(signature) ?? [];
  if (publicKey === undefined || bytes === undefined) return null;
  try {
    return verifyBytes(null, Buffer.from(text), readPublic(publicKey), Buffer.from(bytes, "base64")) ? publicKey : null;
  } catch {
    // 32 bytes that are no point of the curve.
    return null;
  }
}

function writePublic(key: KeyObject): string {
  return `ed25519:${key.export({ format: "der", type: "spki" }).subarray(derPrefix.length).toString("base64")}`;
}

function readPublic(text: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([derPrefix, Buffer.from(text.slice(8), "base64")]), format: "der", type: "spki" });
}
