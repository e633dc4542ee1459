import { Command } from "commander";
import { readStatus, type RecordStatus, type SourceOverview } from "../control/read-status.ts";
import { withOutlook, type ScanOutlook } from "../control/schedules/next-scans.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { withExamples } from "./examples.ts";
import { count, number, relativeTime } from "./format.ts";
import { stateStyle } from "./job-page.ts";
import { withSession, type Session } from "./session.ts";
import type { Shell } from "./shell.ts";
import { sourceColumns } from "./source.ts";
import { renderTable } from "./table.ts";

type Status = Omit<RecordStatus, "sources"> & { readonly sources: readonly (SourceOverview & ScanOutlook)[] };

export function createCommand(shell: Shell): Command {
  const command = new Command("status")
    .description(
      "Tells what runs, where its services are, and how much is done. With --json, the URLs hold their passwords, for programs such as psql.",
    )
    .action(async () => {
      await withSession(shell, { temporal: "if-running" }, async (session) => {
        const record = await readStatus(session);
        const status = { ...record, sources: await withOutlook(record.sources, session.temporal) };
        shell.terminal.show(toJson(shell, session, status), () => describe(shell, session, status));
      });
    });
  return withExamples(command, {
    "casparian status": "",
    'psql "$(casparian status --json | jq -r .database.readerUrl)"': "the record in psql, while the system runs",
  });
}

function toJson(shell: Shell, { urls, temporalPlace, running }: Session, status: Status): unknown {
  const settings = shell.settings();
  // The embedded database of this very command is gone when somebody reads its address.
  const isThere = settings.database.kind === "external" || running !== null;
  return {
    home: settings.home,
    running: running === null ? null : { pid: running.pid, startedAt: running.startedAt, command: running.command },
    database: { kind: settings.database.kind, url: isThere ? urls.database : null, readerUrl: isThere ? urls.databaseReader : null },
    temporal: {
      kind: settings.temporal.kind,
      address: temporalPlace?.address ?? null,
      namespace: temporalPlace?.namespace ?? null,
      uiUrl: temporalPlace?.uiUrl ?? null,
    },
    ...status,
  };
}

function describe(shell: Shell, session: Session, status: Status): string {
  const { terminal } = shell;
  const settings = shell.settings();
  const facts: (readonly [string, string])[] = [
    ["folder", settings.home],
    ["running", describeRunning(shell, session)],
    [
      "database",
      settings.database.kind === "embedded" && session.running === null ? "embedded, not running" : safeUrl(session.urls.database),
    ],
    ["temporal", describeTemporal(session)],
  ];
  if (session.temporalPlace?.uiUrl != null) facts.push(["web UI", session.temporalPlace.uiUrl]);
  const jobs = Object.entries(status.jobs).filter(([, amount]) => amount > 0);
  const painted = jobs.map(([state, amount]) =>
    terminal.paint(stateStyle(state as keyof typeof status.jobs) ?? "reset", `${number(amount)} ${state}`),
  );
  facts.push(["jobs", painted.length === 0 ? "none" : painted.join(", ")]);
  facts.push(["plugins", `${number(status.plugins)} active, ${count(status.rules, "rule")}`]);
  if (status.outbox.waiting > 0) {
    facts.push(["to plan", `${count(status.outbox.waiting, "file version")}, the oldest since ${relativeTime(status.outbox.oldestAt)}`]);
  }
  if (status.runEvents !== null) facts.push(["events", describeRunEvents(status.runEvents)]);
  for (const { name, state, workers, workerGroup } of status.sources) {
    if (state === "PAUSED" || workers !== 0 || workerGroup === null) continue;
    facts.push(["no worker", `for ${name}: casparian worker --group ${workerGroup}`]);
  }
  const table =
    status.sources.length === 0
      ? "No source. Add a folder: casparian source add NAME PATH"
      : renderTable(terminal, sourceColumns, status.sources);
  const troubled =
    status.jobs.FAILED > 0 ||
    (status.runEvents !== null && (status.runEvents.error !== null || status.runEvents.refused > 0)) ||
    status.sources.some((source) => source.findings > 0 || source.lastScan?.state === "FAILED" || source.workers === 0);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(9)} ${value}`),
    "",
    table,
    ...(troubled ? ["", "casparian doctor says what is wrong, and what to do"] : []),
  ].join("\n");
}

function describeRunEvents({ waiting, refused, error }: NonNullable<Status["runEvents"]>): string {
  const parts = [`OpenLineage, ${number(waiting)} to be sent`];
  if (refused > 0) parts.push(`${number(refused)} were refused`);
  if (error !== null) parts.push(error);
  return parts.join("; ");
}

function describeRunning(shell: Shell, { running }: Session): string {
  if (running !== null) return `${running.command}, process ${running.pid}, since ${relativeTime(running.startedAt)}`;
  const { database, temporal } = shell.settings();
  return database.kind === "external" && temporal.kind === "external"
    ? "elsewhere: database and Temporal are external"
    : "no (casparian start)";
}

function describeTemporal({ temporalPlace }: Session): string {
  return temporalPlace === null ? "embedded, not running" : `${temporalPlace.address}, namespace ${temporalPlace.namespace}`;
}
