import { parse } from "smol-toml";

/** One version of one package of a lock. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** The index that it comes from, without credentials; null where the lock doesn't say. */
  readonly registry: string | null;
  /** File names; null where the lock doesn't say. */
  readonly wheels: readonly string[] | null;
}

/** A version that those who published it have taken back. */
export interface YankedPackage {
  readonly name: string;
  readonly version: string;
  readonly reason: string | null;
}

interface UvPackage {
  readonly name: string;
  readonly version?: string;
  readonly source?: { readonly registry?: string };
  readonly wheels?: readonly { readonly url?: string; readonly path?: string; readonly filename?: string }[];
}

/** The packages of a `uv.lock` (version 1). */
export function readUvLock(text: string): readonly LockedPackage[] {
  const { package: packages = [] } = parse(text) as { readonly package?: readonly UvPackage[] };
  return packages.map(({ name, version = "", source, wheels = [] }) => ({
    name,
    version,
    registry: source?.registry ?? null,
    wheels: wheels.map(({ url, path, filename }) => decodeURIComponent((filename ?? url ?? path ?? "").split("/").at(-1) ?? "")),
  }));
}

/** The packages of requirements with exact versions. */
export function readRequirements(text: string): readonly LockedPackage[] {
  return [...text.matchAll(/^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)/gm)].map((match) => ({
    name: match[1]!,
    version: match[2]!,
    registry: null,
    wheels: null,
  }));
}

/** uv warns of them while it locks: "`requests==2.32.0` is yanked (reason: "…")". */
export function readYanked(stderr: string): readonly YankedPackage[] {
  return [...stderr.matchAll(/^warning: `([^=`]+)==([^`]+)` is yanked(?: \(reason: "(.*)"\))?/gm)].map((match) => ({
    name: match[1]!,
    version: match[2]!,
    reason: match[3] === undefined || match[3] === "" ? null : match[3],
  }));
}
