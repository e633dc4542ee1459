import type { Backlog, BackfillProgress } from "../control/backfill.ts";
import { bytes, count, number, printable } from "./format.ts";
import type { Shell } from "./shell.ts";

/** Elsewhere than on a terminal a line for each batch would be hundreds. Milliseconds. */
const lineEveryMs = 5_000;

/** What a use case needs to go through the files on record: it can be stopped, and shows how far it is. */
export function backlogOptions({ terminal, signal }: Shell): {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackfillProgress) => void;
} {
  let lastAt = Date.now();
  return {
    signal,
    onProgress({ filesSeen, queued }) {
      if (!terminal.live && Date.now() - lastAt < lineEveryMs) return;
      lastAt = Date.now();
      terminal.progress(`Looked at ${count(filesSeen, "file")} on record${queued === 0 ? "" : `, queued ${number(queued)}`}`);
    },
  };
}

/** What a person should know of the files on record after a rule or a plugin came. */
export function describeBacklog({ missing, waiting, queued }: Backlog, { running }: { readonly running: boolean }): readonly string[] {
  if (queued > 0)
    return [
      `Queued ${count(queued, "file")} on record${running ? ", after what newly arrives" : "; the next start or scan processes them"}`,
    ];
  if (missing === 0) return [];
  if (missing === waiting) return [`${count(missing, "file")} on record that ${missing === 1 ? "matches is" : "match are"} queued already`];
  const open = missing - waiting;
  return [
    `${count(open, "file")} on record ${open === 1 ? "matches and has" : "match and have"} not been processed by it: add --backfill to queue ${open === 1 ? "it" : "them"}`,
  ];
}

/** All of it, for a dry run: of one rule, whose files --backfill queues, or of a backfill. */
export function describeBacklogFully(backlog: Backlog, dryRunOf: "rule" | "backfill"): readonly string[] {
  const { files, examples, plugins, missing, waiting } = backlog;
  const takes = dryRunOf === "rule" ? "It takes" : "The rules take";
  if (files === 0) return [`${takes} no file on record`];
  const such = `${files > examples.length ? ", such as " : ": "}${examples.map((path) => printable(path)).join(", ")}`;
  const lines = [`${takes} ${count(files, "file")} on record (${bytes(backlog.bytes)})${such}`];
  for (const { plugin, version, had, hadOther, missing: lacking } of plugins) {
    const other = hadOther === 0 ? "" : `, ${number(hadOther)} of which another version of it has had`;
    lines.push(`  ${plugin} ${version} has had ${number(had)} of them, and lacks ${number(lacking)}${other}`);
  }
  const open = missing - waiting;
  const already = waiting === 0 ? "" : `; ${number(waiting)} ${waiting === 1 ? "waits" : "wait"} to be planned already`;
  lines.push(`${number(open)} would be queued${dryRunOf === "rule" ? " with --backfill" : ""}${already}`);
  return lines;
}
