import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { requireSignature, requireWhole, hashArtifact, signedText } from "../../bridge/artifact.ts";
import { environmentOf } from "../../bridge/environments.ts";
import { generateKey, isPublicKey, readKey, signerOf } from "../../bridge/signing-key.ts";
import { readTrustedKeys, watchTrustedKeys, writeTrustedKeys } from "../../bridge/trusted-keys.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "casparian-keys-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

/** RFC 8032, section 7.1, test 2: its seed, as PKCS #8, and the signature of one byte, 0x72. */
const rfc = {
  pem: pemOf("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
  publicKey: `ed25519:${Buffer.from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "hex").toString("base64")}`,
  signature: Buffer.from(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    "hex",
  ).toString("base64"),
};

function pemOf(seed: string): string {
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, "hex").toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
}

test("signatures are those of RFC 8032", () => {
  const key = readKey(rfc.pem);
  expect(key.publicKey).toBe(rfc.publicKey);
  expect(key.sign("r")).toBe(`${rfc.publicKey}:${rfc.signature}`);
  expect(signerOf(key.sign("r"), "r")).toBe(rfc.publicKey);
});

test("a signature over something else, or by somebody else, is none", () => {
  const { publicKey, sign } = readKey(generateKey().pem);
  const signature = sign("text");
  expect(isPublicKey(publicKey)).toBe(true);
  expect(signerOf(signature, "text")).toBe(publicKey);
  expect(signerOf(signature, "text ")).toBeNull();
  expect(signerOf(signature.replace(publicKey, rfc.publicKey), "text")).toBeNull();
  expect(signerOf(signature.slice(0, -4), "text")).toBeNull();
  expect(signerOf("", "text")).toBeNull();
  // Not a point of the curve.
  expect(signerOf(signature.replace(publicKey, `ed25519:${Buffer.alloc(32, 0xff).toString("base64")}`), "text")).toBeNull();
});

test("an encrypted key opens with its passphrase only", () => {
  const { pem, publicKey } = generateKey("correct horse");
  expect(pem).toContain("BEGIN ENCRYPTED PRIVATE KEY");
  expect(readKey(pem, "correct horse").publicKey).toBe(publicKey);
  expect(() => readKey(pem, "wrong")).toThrow();
  expect(() => readKey(pem)).toThrow();
});

const environment = environmentOf("pandas==3.0.0\n", ">=3.10");

function artifactOf(signature: string | null = null) {
  return {
    id: "1",
    name: "clean",
    version: "2",
    sourceCode: "class Handler: ...",
    artifactHash: hashArtifact("class Handler: ...", environment.hash),
    manifest: { patterns: [], topic: "output" },
    environmentHash: environment.hash,
    state: "ACTIVE" as const,
    signature,
    environment,
  };
}

test("code or lock that is not what was published is told", () => {
  const artifact = artifactOf();
  requireWhole(artifact);
  expect(() => requireWhole({ ...artifact, sourceCode: "class Handler: evil" })).toThrow(
    "the code of clean 2 on record is not what was published",
  );
  const lock = { ...environment, lockfile: "pandas==6.6.6\n" };
  expect(() => requireWhole({ ...artifact, environment: lock })).toThrow("the lock of clean 2 on record is not what was published");
  expect(() => requireWhole({ ...artifact, environment: environmentOf("pandas==6.6.6\n", ">=3.10") })).toThrow("the lock of clean 2");
});

test("a signature counts for its plugin and version, and where its key is trusted", () => {
  const key = readKey(generateKey().pem);
  const ann = new Map([[key.publicKey, "ann"]]);
  const signed = artifactOf(key.sign(signedText(artifactOf())));
  expect(requireSignature(signed, ann, true)).toBe("ann");
  expect(requireSignature(signed, new Map(), false)).toBeNull();
  expect(requireSignature(artifactOf(), ann, false)).toBeNull();
  expect(() => requireSignature(artifactOf(), ann, true)).toThrow("clean 2 is not signed");
  expect(() => requireSignature(signed, new Map(), true)).toThrow("a key that is not trusted here");
  for (const other of [{ name: "other" }, { version: "3" }, { artifactHash: "0".repeat(64) }])
    expect(() => requireSignature({ ...signed, ...other }, ann, false)).toThrow("is not over what is on record");
});

test("trusted keys are a file of lines, which is seen when it changes", async () => {
  const file = join(folder, "trusted-keys");
  const keys = watchTrustedKeys(file);
  expect(keys()).toEqual(new Map());
  await writeTrustedKeys(file, new Map([[rfc.publicKey, "ann smith"]]));
  expect(keys()).toEqual(new Map([[rfc.publicKey, "ann smith"]]));
  await writeTrustedKeys(file, new Map());
  expect(keys()).toEqual(new Map());
  await writeFile(file, `# whose\n\n${rfc.publicKey}  bob\n`);
  expect(readTrustedKeys(file)).toEqual(new Map([[rfc.publicKey, "bob"]]));
  await writeFile(file, "# whose\ned25519:short bob\n");
  expect(() => keys()).toThrow("line 2 of");
});
