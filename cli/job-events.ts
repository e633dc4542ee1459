import { Command, InvalidArgumentError } from "commander";
import { readRunEvents } from "../control/read-run-events.ts";
import { withExamples } from "./examples.ts";
import { parseDuration } from "./quantity.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

interface EventsOptions {
  readonly since?: Date;
  readonly until?: Date;
}

const dayMs = 86_400_000;

/** `jobs events`, for programs that fetch events rather than being sent them. */
export function eventsCommand(shell: Shell): Command {
  const command = new Command("events")
    .summary("print OpenLineage events, as lines of JSON")
    .description(
      "Prints OpenLineage events of jobs, one line of JSON each, by time: when their attempts began and how they ended, what was read and " +
        "written. Those of the last day unless told otherwise. To have them sent, see [openlineage] in the README.",
    )
    .argument("[job]", "of this job only, from its beginning")
    .option("--since <time>", "from this time on: 1h, 7d, or 2026-01-31T08:00Z", parseMoment)
    .option("--until <time>", "until before this time", parseMoment)
    .action(async (job: string | undefined, { since, until }: EventsOptions) => {
      const { openLineage } = shell.settings();
      const from = since ?? (job === undefined ? new Date(Date.now() - dayMs) : new Date(0));
      await withSession(shell, {}, (session) =>
        readRunEvents(session, { since: from, until, jobId: job }, openLineage, (lines) =>
          writeOut(lines.map((line) => `${line}\n`).join("")),
        ),
      );
    });
  return withExamples(command, {
    "casparian jobs events --since 1h": "",
    "casparian jobs events 17 | jq .eventType": "",
  });
}

/** False where nobody reads any more, as after `| head`. */
function writeOut(text: string): Promise<boolean> {
  return new Promise((resolve) => process.stdout.write(text, (error) => resolve(error == null)));
}

/** A span before now, or a point in time. */
function parseMoment(text: string): Date {
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  try {
    return new Date(Date.now() - parseDuration(text));
  } catch {
    throw new InvalidArgumentError("Give a span of time before now (30s, 1h, 7d) or a time (2026-01-31T08:00Z).");
  }
}
