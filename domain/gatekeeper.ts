/** What the gatekeeper looks for, by what a plugin would do with it. */
export const gatekeeperKinds = [
  "import",
  "network",
  "process",
  "dynamic",
  "native",
  "environment",
  "compiled",
  "yanked",
  "vulnerable",
] as const;

export type GatekeeperKind = (typeof gatekeeperKinds)[number];

/** What an operator may allow; a missing import is a matter of `--force`. */
export const allowableKinds = gatekeeperKinds.filter((kind) => kind !== "import");

/** A place in a plugin's code or lock that somebody should look at before it runs. */
export interface GatekeeperFinding {
  readonly kind: GatekeeperKind;
  /** The module, function or package. */
  readonly subject: string;
  /** Of a plugin's folder; not there for the one with the Handler. */
  readonly file?: string | undefined;
  /** From 1; null for a package that the plugin's file doesn't name. */
  readonly line: number | null;
  /** In characters, from 1. */
  readonly column: number | null;
  /** What it means, in one sentence. */
  readonly message: string;
}

/** What the gatekeeper made of a plugin. */
export interface GatekeeperReport {
  readonly findings: readonly GatekeeperFinding[];
  /** What could not be looked at, and why. Sentences without a full stop. */
  readonly unchecked: readonly string[];
}

export const gatekeeperModes = ["off", "warn", "refuse"] as const;

export interface GatekeeperPolicy {
  readonly mode: (typeof gatekeeperModes)[number];
  /** Kinds that are kept and shown, and neither warned of nor refused. */
  readonly allow: readonly GatekeeperKind[];
  /** Where known vulnerabilities are asked for (the OSV API): a URL, or `off`; undefined for uv's own, which is asked about packages of PyPI only. */
  readonly vulnerabilityService?: string | undefined;
}

type ReachKind = Extract<GatekeeperKind, "network" | "process" | "dynamic" | "native" | "environment">;

const meanings: Readonly<Record<ReachKind, string>> = {
  network: "reaches for the network, which the sandbox does not give",
  process: "starts or signals processes, which stay in the sandbox and end with the plugin",
  dynamic: "runs or loads code that does not stand in the file, so reading the file does not tell what it does",
  native: "reaches for memory and machine code past Python's own rules, so reading the file does not tell what it does",
  environment: "reaches for the environment's variables, which the sandbox has emptied",
};

export function describeReach(kind: ReachKind, subject: string): string {
  return `${subject} ${meanings[kind]}`;
}

/** Those that the policy warns of or refuses. */
export function objections(report: GatekeeperReport, policy: GatekeeperPolicy): readonly GatekeeperFinding[] {
  return report.findings.filter(({ kind }) => kind !== "import" && !policy.allow.includes(kind));
}
