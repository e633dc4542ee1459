import { TerminalFailure } from "../../domain/failure.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { parseSinkUri } from "../uri.ts";

/** What a table's URI asks for beside where the table is. */
export interface SplitUri {
  /** Without it: the one by which the target is known, on record too. */
  readonly uri: string;
  /** Whether rows that are replaced go into a table of their own. */
  readonly keeps: boolean;
}

const parameter = "keep=replaced";

/** Takes `keep=replaced` out of a table's URI. Throws TerminalFailure SINK_URI where something else is to be kept. */
export function splitKeep(uri: string): SplitUri {
  const at = uri.lastIndexOf("?");
  const parameters = at < 0 ? [] : uri.slice(at + 1).split("&");
  const asked = parameters.filter((one) => one.startsWith("keep="));
  const other = asked.find((one) => one !== parameter);
  if (other !== undefined)
    throw new TerminalFailure({
      code: "SINK_URI",
      message: `${safeUrl(uri)} asks for "${other}", and a table keeps nothing but what was replaced`,
      hint: `Write ${parameter}, or leave it out`,
    });
  if (asked.length === 0) return { uri, keeps: false };
  const others = parameters.filter((one) => one !== parameter);
  return { uri: `${uri.slice(0, at)}${others.length === 0 ? "" : `?${others.join("&")}`}`, keeps: true };
}

/** Puts it back. */
export function joinKeep({ uri, keeps }: SplitUri): string {
  return keeps ? `${uri}${uri.includes("?") ? "&" : "?"}${parameter}` : uri;
}

/** Schemes whose URIs take the parameter. */
const keeping: ReadonlySet<string> = new Set(["postgres", "postgresql", "duckdb", "mssql"]);

/** The URI by which the target of a topic is on record. */
export function targetUri(uri: string): string {
  return keeping.has(parseSinkUri(uri).scheme) ? splitKeep(uri).uri : uri;
}

/** The table that a result of this staging puts those into which it replaces. */
export function keptName(staging: string): string {
  const run = staging.replace(/^staged_/, "").replace(/\.duckdb\.staged$/, "");
  return `${keptPrefix}${run.replaceAll(/[^A-Za-z0-9_]/g, "_")}`;
}

export const keptPrefix = "replaced_by_";
