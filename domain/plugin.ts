import type { Topic } from "./topic.ts";

/** STAGED waits to be activated, ACTIVE takes files (one of each name at most), RETIRED did, REJECTED never runs again. */
export type PluginState = "STAGED" | "ACTIVE" | "RETIRED" | "REJECTED";

/** How its files are run: as forks of one process that has its imports loaded, or each in an interpreter of its own. */
export type PluginProcess = "fork" | "fresh";

/** What a plugin says of itself in `MANIFEST`; read by parsing, never by running. */
export interface PluginManifest {
  /** Globs of the files that it takes; empty where the plugin declares none. */
  readonly patterns: readonly string[];
  /** The output's name for what is yielded without one. */
  readonly topic: string;
  readonly description?: string | undefined;
  /** `fork` unless it says so. */
  readonly process?: PluginProcess | undefined;
}

/** A plugin that is more than one file. Paths are relative to its folder, with slashes. */
export interface PluginFolder {
  /** The file with its Handler. */
  readonly entry: string;
  /** The other files, as text. */
  readonly files: Readonly<Record<string, string>>;
}

/** One published plugin: code and locked environment under one hash. Immutable but for its state. */
export interface PluginArtifact {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** SHA-256 over source code and lock, hex. */
  readonly artifactHash: string;
  /** Of its file, or of the one with its Handler. */
  readonly sourceCode: string;
  /** Null for a single file. */
  readonly folder?: PluginFolder | null;
  readonly manifest: PluginManifest;
  readonly environmentHash: string;
  readonly state: PluginState;
  /** Over name, version and artifact hash; null where nobody has signed it. */
  readonly signature: string | null;
}

/** A locked Python environment, by content. */
export interface PluginEnvironment {
  /** SHA-256 over lockfile and Python version, hex; the platform joins when it is built. */
  readonly hash: string;
  /** Requirements with exact versions and hashes, one platform-independent text; names no registry. */
  readonly lockfile: string;
  /** The Python versions that it is locked for, such as `3.11` or `>=3.10`. */
  readonly python: string;
}

/** Topics by output name. */
export type TopicConfig = ReadonlyMap<string, Topic>;
