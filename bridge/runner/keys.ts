import { createHmac, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WrongUse } from "../../domain/failure.ts";

/** Curve25519, for ZeroMQ's CURVE. A public key is written `curve:` and its 32 bytes in base64. */
const publicForm = /^curve:[A-Za-z0-9+/]{43}=$/;

export interface KeyPair {
  readonly publicKey: string;
  /** The 32 bytes of each, as ZeroMQ's library takes them. */
  readonly z85: { readonly publicKey: string; readonly secretKey: string };
  /** Shows whoever has the other secret key that this one is had here, too: a code over the challenge. */
  readonly prove: (otherPublicKey: string, challenge: Uint8Array) => Buffer;
}

/** The key pair of a home: a worker's, by which runners know it, or a runner's. */
export function keyFile(stateDir: string): string {
  return join(stateDir, "runner-key.json");
}

/** Reads the pair, or makes one that only this user can read. Throws WrongUse for a file that holds none. */
export async function ensureKeyPair(file: string): Promise<KeyPair> {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("x25519");
    const { x, d } = privateKey.export({ format: "jwk" });
    await mkdir(dirname(file), { recursive: true });
    // Whoever was quicker has made it.
    await writeFile(file, `${JSON.stringify({ x, d })}\n`, { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  return readKeyPair(file);
}

function readKeyPair(file: string): KeyPair {
  try {
    const { x, d } = JSON.parse(readFileSync(file, "utf8")) as { x: string; d: string };
    const own = createPrivateKey({ key: { kty: "OKP", crv: "X25519", x, d }, format: "jwk" });
    const [publicBytes, secretBytes] = [Buffer.from(x, "base64url"), Buffer.from(d, "base64url")];
    return {
      publicKey: `curve:${publicBytes.toString("base64")}`,
      z85: { publicKey: encodeZ85(publicBytes), secretKey: encodeZ85(secretBytes) },
      prove: (other, challenge) => {
        const key = createPublicKey({ key: { kty: "OKP", crv: "X25519", x: bytesOf(other).toString("base64url") }, format: "jwk" });
        return createHmac("sha256", diffieHellman({ privateKey: own, publicKey: key }))
          .update(challenge)
          .digest();
      },
    };
  } catch {
    throw new WrongUse(`${file} holds no key pair`, "Move it away; another is made, whose public key must be told again");
  }
}

/** Whether it was made for this challenge by who has the secret key of `otherPublicKey`. */
export function isProof(own: KeyPair, otherPublicKey: string, challenge: Uint8Array, proof: Uint8Array): boolean {
  const expected = own.prove(otherPublicKey, challenge);
  return proof.byteLength === expected.byteLength && timingSafeEqual(proof, expected);
}

export function isRunnerKey(text: string): boolean {
  return publicForm.test(text);
}

/** As ZeroMQ's library takes it. */
export function z85Of(publicKey: string): string {
  return encodeZ85(bytesOf(publicKey));
}

function bytesOf(publicKey: string): Buffer {
  return Buffer.from(publicKey.slice("curve:".length), "base64");
}

/** The form of these bytes in which they are told to others. */
export function publicKeyOf(bytes: Uint8Array): string {
  return `curve:${Buffer.from(bytes).toString("base64")}`;
}

const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** Source: https://rfc.zeromq.org/spec/32/ */
function encodeZ85(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += 4) {
    const value = bytes.readUInt32BE(at);
    for (const power of [85 ** 4, 85 ** 3, 85 ** 2, 85, 1]) text += digits[Math.floor(value / power) % 85];
  }
  return text;
}
