import { countWorkers, askEachGroup } from "../count-workers.ts";
import { surveySchedules } from "../schedules/survey.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "schedules";

/** Does each source have the schedule that its settings ask for, and a worker that can reach its folder? */
export async function checkSchedules({ db, temporal, status, fix }: Patient): Promise<readonly Diagnosis[]> {
  if (temporal === null) {
    return [{ subject, severity: "info", message: "they are in Temporal, which does not run here now", hint: null }];
  }
  const { wished, troubles } = await surveySchedules({ db, temporal });
  const found: Diagnosis[] = [];
  for (const { message, mend } of troubles) {
    const hint = mend === null ? "casparian source set NAME --every 5m" : "casparian doctor --fix; a running casparian start mends it, too";
    if (fix && mend !== null) {
      await mend();
      found.push({ subject, severity: "info", message: `mended: ${message}`, hint: null });
    } else found.push({ subject, severity: mend === null ? "error" : "warning", message, hint });
  }
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
