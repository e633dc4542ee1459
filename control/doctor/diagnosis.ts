import type { Connections } from "../../domain/connection.ts";
import type { ControlContext } from "../context.ts";
import type { RecordStatus } from "../read-status.ts";
import type { RoutingSurvey } from "../survey-routing.ts";

/** `error`: something can't work. `warning`: something may be wrong. `info`: worth knowing. `ok`: looked at, and fine. */
export type Severity = "ok" | "info" | "warning" | "error";

/** One thing that was looked at. */
export interface Diagnosis {
  /** What was looked at: `sources`, `rules`, … */
  readonly subject: string;
  readonly severity: Severity;
  /** A sentence without a full stop. */
  readonly message: string;
  /** The next step; null where there is none to take. */
  readonly hint: string | null;
}

/** What the checks look at, read once. */
export interface Patient extends ControlContext {
  /** The working folder, absolute: what relative sinks are below. */
  readonly home: string;
  /** Where local state is, snapshots among it. */
  readonly stateDir: string;
  /** Servers that topics may name. */
  readonly connections?: Connections | undefined;
  readonly plugins?: PluginPolicy | undefined;
  readonly status: RecordStatus;
  readonly routing: RoutingSurvey;
  /** Null where Temporal does not run. */
  readonly workers: number | null;
  readonly host: Host;
  /** Whether what can be mended without a person's decision is. */
  readonly fix: boolean;
}

/** Whose plugins run on this machine, and behind what. */
export interface PluginPolicy {
  readonly sandbox?: "on" | "require" | undefined;
  readonly requireSignature: boolean;
  /** The file of trusted keys. */
  readonly trustedKeys: string;
}

/** What the command line has found out about this machine. */
export interface Host {
  /** Paths; null for a tool that is not there. */
  readonly tools: { readonly uv: string | null; readonly temporal: string | null };
  readonly python: { readonly path: string; readonly version: string } | { readonly trouble: string };
  /** All that plugins may ask for; null where uv, which finds them, is not here yet. */
  readonly pythons?: readonly { readonly path: string; readonly version: string }[] | null;
  /** False where Temporal is external, and its command line is not needed. */
  readonly needsTemporalTool: boolean;
}

/** A check of one subject: what it finds, or one line that says that all is well. */
export type Check = (patient: Patient) => readonly Diagnosis[] | Promise<readonly Diagnosis[]>;
