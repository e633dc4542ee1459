import { availableParallelism, totalmem } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { WrongUse } from "../domain/failure.ts";
import { connectionSettings, type ConnectionSettings } from "./connections.ts";
import type { GatekeeperPolicy } from "../domain/gatekeeper.ts";
import { requireName } from "../domain/name.ts";
import type { OpenLineageSettings } from "../domain/openlineage.ts";
import { safeUrl } from "../domain/safe-url.ts";
import type { SignInPolicy } from "../domain/sign-in.ts";
import type { TransportName } from "../domain/transport.ts";
import { readEnvironment } from "./environment.ts";
import { readFileSettings, type FileSettings, type LogLevel } from "./file.ts";
import { openLineageSettings } from "./openlineage.ts";
import { signInPolicy } from "./sign-in.ts";
import { temporalSettings, type TemporalSettings } from "./temporal.ts";

/** Everything that a process is told from outside; read once and never changed. */
export interface Settings {
  /** The working folder, absolute. */
  readonly home: string;
  /** `<home>/.casparian`: all local state. */
  readonly stateDir: string;
  readonly database:
    | { readonly kind: "embedded"; readonly port?: number | undefined }
    | { readonly kind: "external"; readonly url: string };
  readonly temporal: TemporalSettings;
  readonly worker: {
    readonly concurrency: number;
    /** The groups of workers that it belongs to, for sources that only some machines reach. */
    readonly groups: readonly string[];
    /** What warm plugins that have no file may hold together. */
    readonly warmMemoryMb: number;
  };
  /** Servers that sinks' URIs may name, without their secrets. */
  readonly connections: readonly ConnectionSettings[];
  readonly limits: {
    readonly pluginSeconds: number;
    readonly pluginMemoryMb: number;
    readonly pluginScratchMb: number;
    readonly logBytes: number;
  };
  readonly python: {
    /** A path, or a name on the PATH; undefined for `python3`. */
    readonly interpreter?: string | undefined;
    /** Whether uv may fetch a Python that this machine lacks. */
    readonly allowDownloads: boolean;
    /** Whether packages without a wheel may be built, which runs code of theirs outside of the sandbox. */
    readonly allowBuilds: boolean;
    /** Beyond which the least recently used environments are removed. */
    readonly environmentsMbMax: number;
  };
  readonly plugins: {
    /** Whether only what a trusted key has signed may be published and run. */
    readonly requireSignature: boolean;
    /** Whether a version takes another one's place only where the two were compared. */
    readonly requireComparison: boolean;
    /** The file of trusted keys, absolute. */
    readonly trustedKeys: string;
    /** Whether jobs are refused where this machine's kernel lacks a wall of the sandbox. */
    readonly sandbox: "on" | "require";
    /** What publishing makes of what stands out in a plugin's code and lock. */
    readonly gatekeeper: GatekeeperPolicy;
    /** Where those sign in who change which code runs; null where nobody needs to. */
    readonly signIn: SignInPolicy | null;
  };
  readonly bridge: { readonly transport: TransportName };
  readonly runners: {
    /** `tcp://ADDRESS:PORT` on which the worker waits for runners; none unless set. */
    readonly listen?: string | undefined;
    /** The file of trusted runners, absolute. */
    readonly trusted: string;
  };
  readonly openLineage: OpenLineageSettings;
  readonly logLevel: LogLevel;
}

/** What was given on the command line, as it was typed. */
export interface Flags {
  /** `embedded` or a PostgreSQL URL. */
  readonly database?: string | undefined;
  /** `embedded` or `host:port`. */
  readonly temporal?: string | undefined;
  readonly namespace?: string | undefined;
  readonly concurrency?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly logLevel?: LogLevel | undefined;
}

export interface SettingsSources {
  /** The working folder; CASPARIAN_HOME or the current one unless given. */
  readonly home?: string | undefined;
  readonly flags?: Flags | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * Reads the settings of a home: flags beat the environment, the environment beats `casparian.toml`. The result is frozen.
 * Throws WrongUse for anything that is unknown or wrong, with the nearest right one.
 */
export function readSettings({ home: asked, flags = {}, env: raw = process.env }: SettingsSources = {}): Settings {
  const env = readEnvironment(raw);
  const home = resolve(asked ?? env["CASPARIAN_HOME"] ?? ".");
  const file = readFileSettings(home);
  return freeze({
    home,
    stateDir: join(home, ".casparian"),
    database: databaseSettings(flags.database ?? env["CASPARIAN_DATABASE_URL"] ?? file.database.url ?? "embedded", file.database),
    temporal: temporalSettings({ address: flags.temporal, namespace: flags.namespace }, env, file.temporal),
    worker: {
      concurrency: concurrency(flags.concurrency ?? env["CASPARIAN_CONCURRENCY"]) ?? file.worker.concurrency ?? availableParallelism(),
      groups: workerGroups(flags.groups ?? file.worker.groups ?? []),
      warmMemoryMb: file.worker.warm_memory_mb ?? Math.max(512, Math.floor(memoryMb() / 8)),
    },
    connections: connectionSettings(home, file.connections, env),
    limits: {
      pluginSeconds: file.limits.plugin_seconds ?? 3600,
      pluginMemoryMb: file.limits.plugin_memory_mb ?? 2048,
      pluginScratchMb: file.limits.plugin_scratch_mb ?? 10_240,
      logBytes: file.limits.log_bytes ?? 1024 * 1024,
    },
    python: {
      interpreter: interpreterPath(env["CASPARIAN_PYTHON"] ?? file.python.interpreter, home),
      allowDownloads: file.python.allow_downloads ?? true,
      allowBuilds: file.python.allow_builds ?? false,
      environmentsMbMax: file.python.environments_mb_max ?? 20_000,
    },
    plugins: {
      requireSignature: file.plugins.require_signature ?? false,
      requireComparison: file.plugins.require_comparison ?? false,
      trustedKeys: resolve(home, file.plugins.trusted_keys ?? "trusted-keys"),
      sandbox: file.plugins.sandbox ?? "on",
      gatekeeper: {
        mode: file.plugins.gatekeeper ?? "warn",
        allow: file.plugins.gatekeeper_allow ?? [],
        vulnerabilityService: file.plugins.vulnerability_service,
      },
      signIn: signInPolicy(file.plugins.sign_in),
    },
    bridge: { transport: file.bridge.transport ?? "unix" },
    runners: { listen: file.runners.listen, trusted: resolve(home, file.runners.trusted ?? "trusted-runners") },
    openLineage: openLineageSettings(env, file.openlineage, home),
    logLevel: flags.logLevel ?? logLevel(env["CASPARIAN_LOG_LEVEL"]) ?? file.log.level ?? "info",
  });
}

/** What the bridge holds a plugin to. */
export function pluginLimits(limits: Settings["limits"]) {
  const mebibyte = 1024 * 1024;
  return {
    seconds: limits.pluginSeconds,
    memoryBytes: limits.pluginMemoryMb * mebibyte,
    scratchBytes: limits.pluginScratchMb * mebibyte,
    logBytes: limits.logBytes,
  };
}

function databaseSettings(url: string, file: FileSettings["database"]): Settings["database"] {
  if (url === "embedded") return { kind: "embedded", port: file.port };
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return { kind: "external", url };
  throw new WrongUse(
    `"${safeUrl(url)}" is not the URL of a PostgreSQL database`,
    `Give it as postgres://user:password@host:5432/database, with special characters of the password percent-encoded, or as "embedded"`,
  );
}

/** Of this machine, or what its container may use. */
function memoryMb(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity) / 1e6;
}

function concurrency(typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(typed)) return Number(typed);
  throw new WrongUse(`"${typed}" is not a number of plugins to run at once`, "Give a whole number from 1 to 9999");
}

function workerGroups(names: readonly string[]): readonly string[] {
  for (const name of names) requireName(name, "a group of workers");
  return [...new Set(names)];
}

/** A relative path is relative to the home, like all others in its configuration. */
function interpreterPath(interpreter: string | undefined, home: string): string | undefined {
  return interpreter === undefined || isAbsolute(interpreter) || !interpreter.includes("/") ? interpreter : resolve(home, interpreter);
}

function logLevel(typed: string | undefined): LogLevel | undefined {
  if (typed === undefined) return undefined;
  const known = (["debug", "info", "warn", "error"] as const).find((level) => level === typed.toLowerCase());
  if (known !== undefined) return known;
  throw new WrongUse(`CASPARIAN_LOG_LEVEL: unknown level "${typed}"`, "Levels are debug, info, warn, error");
}

function freeze<T>(value: T): T {
  // The bytes of a certificate can't be frozen.
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}
