import { Command } from "commander";
import { listSnapshots, type SnapshotList, type SourceSnapshots } from "../control/list-snapshots.ts";
import { pruneSnapshots, type Pruned } from "../control/prune-snapshots.ts";
import { verifySnapshots, type DamageFound, type VerifiedSnapshots } from "../control/verify-snapshots.ts";
import { withExamples } from "./examples.ts";
import { bytes, count, duration, number, printable, relativeTime, shortHash } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("snapshots")
    .description(
      "Shows which copies of contents are kept for each source. Copies are asked for with casparian source set NAME --snapshots; " +
        "casparian versions PATH --save NUMBER FILE gives one back.",
    )
    .option("--verify", "read every copy of this home and compare it with its hash; exits with 1 if one is damaged")
    .option("--repair", "verify, copy damaged ones anew from files that still have the content, and give up the others")
    .addCommand(pruneCommand(shell))
    .action(async ({ verify, repair }: { readonly verify?: boolean; readonly repair?: boolean }) => {
      if (verify === true || repair === true) return verifyAll(shell, repair === true);
      await withSession(shell, {}, async (session) => {
        const list = await listSnapshots(session, shell.settings().stateDir);
        shell.terminal.show(list, () => describeList(shell, list));
      });
    });
  return withExamples(command, { "casparian snapshots": "", "casparian snapshots --verify": "read them all" });
}

function pruneCommand(shell: Shell): Command {
  const command = new Command("prune")
    .summary("remove copies that no source keeps any more")
    .description(
      "Removes the copies that the sources' --keep-age, --keep-count and --keep-size no longer keep, as workers do each minute. " +
        "What a job that has not ended needs stays.",
    )
    .option("--dry-run", "only say what would be removed")
    .option("--all <source>", "all copies that this source keeps, also of a removed one")
    .action(async ({ dryRun = false, all }: { readonly dryRun?: boolean; readonly all?: string }) => {
      await withSession(shell, {}, async (session) => {
        const request = { stateDir: shell.settings().stateDir, dryRun, allOf: all, signal: shell.signal };
        const pruned = await pruneSnapshots(session, request);
        shell.terminal.show({ dryRun, ...pruned }, () => describePruned(pruned, dryRun));
      });
    });
  return withExamples(command, {
    "casparian snapshots prune --dry-run": "",
    "casparian snapshots prune --all inbox": "keep nothing of this source",
  });
}

async function verifyAll(shell: Shell, repair: boolean): Promise<void> {
  const { terminal, signal } = shell;
  await withSession(shell, {}, async (session) => {
    const onProgress = (contents: number, size: number): void => {
      if (terminal.live) terminal.progress(`Verifying: ${count(contents, "copy", "copies")}, ${bytes(size)}`);
    };
    const verified = await verifySnapshots(session, { stateDir: shell.settings().stateDir, repair, signal, onProgress });
    terminal.show(verified, () => describeVerified(shell, verified));
    if (verified.damaged.some(({ outcome }) => outcome !== "repaired")) process.exitCode = 1;
  });
}

function describeList(shell: Shell, { sources, here, elsewhere }: SnapshotList): string {
  if (sources.length === 0) return "No copies are kept. casparian source set NAME --snapshots has a source's contents kept";
  const lines = [renderTable(shell.terminal, sourceColumns, sources), ""];
  if (here !== null)
    lines.push(`In this home: ${count(here.contents, "content")}, ${bytes(here.bytes)}, each counted once, in ${printable(here.folder)}`);
  if (elsewhere.contents > 0) lines.push(`In other homes: ${count(elsewhere.contents, "content")}, ${bytes(elsewhere.bytes)}`);
  return lines.join("\n");
}

const sourceColumns: readonly Column<SourceSnapshots>[] = [
  { title: "SOURCE", value: ({ source, sourceState }) => (sourceState === "REMOVED" ? `${source} (removed)` : source) },
  { title: "KEEPS", value: describeLimits },
  { title: "VERSIONS", value: ({ versions }) => number(versions), align: "right" },
  { title: "CONTENTS", value: ({ contents }) => number(contents), align: "right" },
  { title: "SIZE", value: (source) => bytes(source.bytes), align: "right" },
  { title: "OLDEST", value: ({ oldest }) => relativeTime(oldest) },
  {
    title: "FAILED",
    value: ({ failed }) => number(failed),
    align: "right",
    style: ({ failed }) => (failed > 0 ? "red" : null),
  },
];

function describeLimits({ keeps, ageMsMax, countMax, bytesMax }: SourceSnapshots): string {
  const limits = [
    ageMsMax === null ? null : duration(ageMsMax / 1000),
    countMax === null ? null : `${countMax} a file`,
    bytesMax === null ? null : bytes(bytesMax),
  ].filter((limit) => limit !== null);
  const kept = limits.length === 0 ? "all" : limits.join(", ");
  return keeps ? kept : `no new ones; ${kept}`;
}

function describePruned({ contents, bytes: size, awaited }: Pruned, dryRun: boolean): string {
  const removed = `${count(contents, "copy", "copies")} (${bytes(size)}) ${dryRun ? "would be" : contents === 1 ? "was" : "were"} removed`;
  return awaited === 0 ? removed : `${removed}; ${number(awaited)} more when the jobs that need them have ended`;
}

function describeVerified(shell: Shell, { contents, bytes: size, damaged }: VerifiedSnapshots): string {
  const all = `${count(contents, "copy", "copies")} read, ${bytes(size)}`;
  if (damaged.length === 0) return `${all}: all intact`;
  const left = damaged.filter(({ outcome }) => outcome === "left").length;
  const lines = [`${all}: ${number(damaged.length)} damaged`, "", renderTable(shell.terminal, damageColumns, damaged)];
  if (left > 0) lines.push("", "Restore these files from a backup, or casparian snapshots --repair");
  return lines.join("\n");
}

const damageColumns: readonly Column<DamageFound>[] = [
  { title: "HASH", value: ({ hash }) => shortHash(hash) },
  { title: "DAMAGE", value: ({ damage, message }) => `${damage}: ${message}` },
  { title: "OUTCOME", value: ({ outcome }) => outcome, style: ({ outcome }) => (outcome === "repaired" ? null : "red") },
  { title: "OF", value: ({ versions }) => versions.join(", ") || "no version", shorten: "end" },
  { title: "COPY", value: ({ path }) => path, shorten: "middle" },
];
