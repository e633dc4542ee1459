import { TerminalFailure } from "../../domain/failure.ts";
import { askEachGroup, countWorkers } from "../count-workers.ts";
import { surveySchedules, type ScheduleTrouble } from "../schedules/survey.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "schedules";

/** Does each source have the schedule that its settings ask for, and a worker that can reach its folder? */
export async function checkSchedules({ db, temporal, status, fix }: Patient): Promise<readonly Diagnosis[]> {
  if (temporal === null) {
    return [{ subject, severity: "info", message: "they are in Temporal, which does not run here now", hint: null }];
  }
  const { wished, troubles } = await surveySchedules({ db, temporal });
  const found: Diagnosis[] = [];
  for (const trouble of troubles) found.push(fix ? await mended(trouble) : told(trouble));
  const grouped = status.sources.filter((source) => source.state === "ACTIVE" && source.workerGroup !== null);
  const workersOf = await askEachGroup(grouped, (group) => countWorkers(temporal, group));
  for (const source of grouped.filter(({ workerGroup }) => workersOf.get(workerGroup) === 0)) {
    found.push({
      subject,
      severity: "error",
      message: `${source.name} is not scanned, nor are its files processed: no worker runs for group ${source.workerGroup}`,
      hint: `Where ${source.path} can be reached: casparian worker --group ${source.workerGroup}`,
    });
  }
  if (found.length > 0) return found;
  return [
    { subject, severity: "ok", message: wished === 0 ? "no source is scanned at times" : `${wished} as their sources ask for`, hint: null },
  ];
}

function told({ message, mend }: ScheduleTrouble): Diagnosis {
  if (mend === null) return { subject, severity: "error", message, hint: "casparian source set NAME --every 5m" };
  return { subject, severity: "warning", message, hint: "casparian doctor --fix; a running casparian start mends it, too" };
}

/** What Temporal refuses is told, and keeps none of the others from being mended. */
async function mended(trouble: ScheduleTrouble): Promise<Diagnosis> {
  if (trouble.mend === null) return told(trouble);
  try {
    await trouble.mend();
    return { subject, severity: "info", message: `mended: ${trouble.message}`, hint: null };
  } catch (error) {
    if (!(error instanceof TerminalFailure)) throw error;
    return { subject, severity: "error", message: error.message, hint: error.hint ?? null };
  }
}
