import { describeFinding } from "../control/gatekeeper.ts";
import type { PluginDetail } from "../control/list-plugins.ts";
import { objections, type GatekeeperFinding, type GatekeeperPolicy, type GatekeeperReport } from "../domain/gatekeeper.ts";
import { absoluteTime, count, printable } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** After publishing: what the policy objects to, how much it allows, what was not looked at. */
export function describeGatekeeper(report: GatekeeperReport, policy: GatekeeperPolicy): readonly string[] {
  const against = objections(report, policy);
  const allowed = report.findings.filter(({ kind }) => policy.allow.includes(kind));
  return [
    ...describeObjections(against),
    ...(allowed.length === 0 ? [] : [`gatekeeper: ${count(allowed.length, "finding")} of kinds that gatekeeper_allow names`]),
    ...report.unchecked.map((what) => `not checked: ${printable(what)}`),
  ];
}

/** One line for each. */
export function describeObjections(findings: readonly GatekeeperFinding[]): readonly string[] {
  return findings.map((finding) => `gatekeeper: ${printable(describeFinding(finding))}`);
}

/** For the page of a plugin. */
export function summarizeReport(report: PluginDetail["gatekeeper"]): string {
  if (report === null) return "was off when this was published";
  const found = report.findings.length === 0 ? "found nothing" : `found ${count(report.findings.length, "place")} to look at (below)`;
  return `${found}, as of ${absoluteTime(report.examinedAt)}`;
}

export function describeReport(terminal: Terminal, report: PluginDetail["gatekeeper"]): readonly string[] {
  if (report === null || report.findings.length + report.unchecked.length === 0) return [];
  return [
    "",
    terminal.paint("bold", "What the gatekeeper found; it is advice, the sandbox is the wall"),
    ...report.findings.map((finding) => `  ${printable(describeFinding(finding))}`),
    ...report.unchecked.map((what) => `  not checked: ${printable(what)}`),
  ];
}
