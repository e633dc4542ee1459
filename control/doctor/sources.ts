import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { listFindings } from "../../db/overview.ts";
import { messageOf } from "../../domain/failure.ts";
import { limitKinds } from "../../domain/selection.ts";
import { noSourceHint } from "../find-source.ts";
import type { SourceOverview } from "../read-status.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "sources";
/** Findings told one by one; the rest is counted. */
const findingsShown = 5;

/** Are there sources, can they be read, are they scanned, and what could the scans not take? */
export async function checkSources({ db, status }: Patient): Promise<readonly Diagnosis[]> {
  if (status.sources.length === 0) {
    return [{ subject, severity: "error", message: "there is no source, so no file is ever found", hint: noSourceHint }];
  }
  const found = (await Promise.all(status.sources.map(checkSource))).flat();
  for (const finding of await listFindings(db, findingsShown)) {
    const path = finding.path === "" ? "" : `/${finding.path}`;
    // What the source's own limits leave out is as it was chosen.
    const severity = limitKinds.some((kind) => kind === finding.kind) ? "info" : "warning";
    found.push({ subject, severity, message: `${finding.source}${path}: ${finding.message}`, hint: null });
  }
  const more = status.sources.reduce((sum, source) => sum + source.findings, 0) - findingsShown;
  if (more > 0) {
    found.push({
      subject,
      severity: "warning",
      message: `${more} more findings of scans`,
      hint: `casparian sql "select * from cf_scan_finding"`,
    });
  }
  if (found.length > 0) return found;
  const files = status.sources.reduce((sum, source) => sum + source.filesPresent, 0);
  return [{ subject, severity: "ok", message: `${status.sources.length} scanned, ${files} files on record`, hint: null }];
}

async function checkSource(source: SourceOverview): Promise<readonly Diagnosis[]> {
  const { name, path, lastScan } = source;
  const root = await readRoot(path);
  if (root !== null && source.workerGroup === null) {
    return [
      {
        subject,
        severity: "error",
        message: `the folder of ${name} can't be read: ${root}`,
        hint: `Mount ${path}, or let this user read it`,
      },
    ];
  }
  const found: Diagnosis[] = [];
  if (root !== null) {
    const message = `the folder of ${name} is for workers of group ${source.workerGroup}; this machine can't read it: ${root}`;
    found.push({ subject, severity: "info", message, hint: null });
  }
  if (source.state === "PAUSED") {
    found.push({ subject, severity: "info", message: `${name} is paused: it is not scanned`, hint: `casparian source resume ${name}` });
  } else if (lastScan === null) {
    found.push({
      subject,
      severity: "warning",
      message: `${name} was never scanned`,
      hint: `casparian scan ${name} --wait, or casparian start`,
    });
  } else if (lastScan.state === "FAILED") {
    const reason = lastScan.message === null ? "" : `: ${lastScan.message}`;
    found.push({ subject, severity: "error", message: `the last scan of ${name} failed${reason}`, hint: `casparian scan ${name}` });
  } else if (source.filesPresent === 0 && source.filesWaiting === 0) {
    const globs = source.include.length + source.exclude.length > 0 ? " that its include and exclude globs take" : "";
    found.push({
      subject,
      severity: "warning",
      message: `${name} has no file${globs} (${path})`,
      hint: "Put a file there, or look at the path",
    });
  }
  if (source.filesWaiting > 0) {
    const message = `${source.filesWaiting} files of ${name} have not settled: they were still being written when they were seen`;
    found.push({ subject, severity: "info", message, hint: `casparian scan ${name} --wait` });
  }
  return found;
}

/** The operating system's words where the folder can't be read; null where it can. */
async function readRoot(path: string): Promise<string | null> {
  try {
    await access(path, constants.R_OK | constants.X_OK);
    await readdir(path);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
