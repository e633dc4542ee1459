import { createHash } from "node:crypto";
import { TerminalFailure } from "../domain/failure.ts";
import type { PluginArtifact, PluginEnvironment, PluginFolder } from "../domain/plugin.ts";
import { environmentOf } from "./environments.ts";
import { isOwnPath } from "./plugin-folder.ts";
import { signerOf } from "./signing-key.ts";

/** SHA-256 over source code and lock, hex: what a version of a plugin is. Of a folder over all files with their paths, in order. */
export function hashArtifact(sourceCode: string, environmentHash: string, folder?: PluginFolder | null): string {
  return createHash("sha256").update(hashedText(sourceCode, folder)).update("\0").update(environmentHash).digest("hex");
}

/** As JSON, so that no two folders have one text; a single file's code begins otherwise, because this is no Python with a Handler. */
function hashedText(sourceCode: string, folder: PluginFolder | null | undefined): string {
  if (folder === null || folder === undefined) return sourceCode;
  const files = Object.entries({ ...folder.files, [folder.entry]: sourceCode }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(["casparian plugin folder 1", folder.entry, files]);
}

/** What a signature is over: it is no other plugin's, and no other version's. */
export function signedText({ name, version, artifactHash: hash }: Pick<PluginArtifact, "name" | "version" | "artifactHash">): string {
  return `casparian plugin 1\n${name}\n${version}\n${hash}\n`;
}

/** Throws TerminalFailure ARTIFACT_TAMPERED where the code or the lock is not what the hash says. */
export function requireWhole(artifact: PluginArtifact & { readonly environment: PluginEnvironment }): void {
  const { name, version, sourceCode, folder, environment } = artifact;
  const isFolder = folder === null || folder === undefined || [folder.entry, ...Object.keys(folder.files)].every(isOwnPath);
  const isLock =
    environment.hash === artifact.environmentHash && environmentOf(environment.lockfile, environment.python).hash === environment.hash;
  if (isLock && isFolder && hashArtifact(sourceCode, environment.hash, folder) === artifact.artifactHash) return;
  throw new TerminalFailure({
    code: "ARTIFACT_TAMPERED",
    message: `the ${isLock ? "code" : "lock"} of ${name} ${version} on record is not what was published: its hash is another`,
    hint: "Somebody has changed the record. Find out who, then publish the plugin again under another version",
  });
}

/** Public keys that are trusted here, with their names. */
export type TrustedKeys = ReadonlyMap<string, string>;

/**
 * Who signed the artifact: the trusted key's name. Null for one without signature, unless it is `required`. Throws TerminalFailure
 * SIGNATURE_MISSING, SIGNATURE_INVALID for a signature that is not over this very artifact, and SIGNATURE_UNTRUSTED where it is required.
 */
export function requireSignature(artifact: PluginArtifact, trusted: TrustedKeys, required: boolean): string | null {
  const title = `${artifact.name} ${artifact.version}`;
  const signed = `Sign it: casparian plugin sign ${artifact.name} ${artifact.version}`;
  if (artifact.signature === null) {
    if (!required) return null;
    throw new TerminalFailure({
      code: "SIGNATURE_MISSING",
      message: `${title} is not signed, and only signed plugins run here`,
      hint: signed,
    });
  }
  const key = signerOf(artifact.signature, signedText(artifact));
  if (key === null) {
    throw new TerminalFailure({
      code: "SIGNATURE_INVALID",
      message: `the signature of ${title} is not over what is on record`,
      hint: `Somebody has changed the record. If the code is right: casparian plugin sign ${artifact.name} ${artifact.version}`,
    });
  }
  const name = trusted.get(key) ?? null;
  if (name === null && required) {
    throw new TerminalFailure({
      code: "SIGNATURE_UNTRUSTED",
      message: `${title} is signed with a key that is not trusted here: ${key}`,
      hint: `If you know whose it is: casparian key trust NAME ${key}`,
    });
  }
  return name;
}
