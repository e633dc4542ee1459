import type { Connections } from "../domain/connection.ts";
import { messageOf } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";
import { countWorkers } from "./count-workers.ts";
import type { Check, Diagnosis, Host, PluginPolicy } from "./doctor/diagnosis.ts";
import { checkSandbox, checkServices, checkTools } from "./doctor/host.ts";
import { checkJobs } from "./doctor/jobs.ts";
import { checkPlugins } from "./doctor/plugins.ts";
import { checkRouting } from "./doctor/routing.ts";
import { checkRunEvents } from "./doctor/run-events.ts";
import { checkRunners } from "./doctor/runners.ts";
import { checkSnapshots } from "./doctor/snapshots.ts";
import { checkSchedules } from "./doctor/schedules.ts";
import { checkSources } from "./doctor/sources.ts";
import { checkTopics } from "./doctor/topics.ts";
import { readStatus } from "./read-status.ts";
import { surveyRouting } from "./survey-routing.ts";

export type { Diagnosis, Host, Severity } from "./doctor/diagnosis.ts";

/** In the way that a file goes. */
const checks: Readonly<Record<string, Check>> = {
  services: checkServices,
  tools: checkTools,
  sandbox: checkSandbox,
  sources: checkSources,
  snapshots: checkSnapshots,
  schedules: checkSchedules,
  plugins: checkPlugins,
  runners: checkRunners,
  rules: checkRouting,
  jobs: checkJobs,
  topics: checkTopics,
  events: checkRunEvents,
};

/** Looks at everything that a file meets on its way to a table. A check that fails itself is a diagnosis, so that the others are told. */
export async function diagnose(
  context: ControlContext,
  request: {
    readonly home: string;
    readonly stateDir: string;
    readonly connections?: Connections;
    readonly plugins?: PluginPolicy;
    readonly host: Host;
    readonly fix?: boolean;
  },
): Promise<readonly Diagnosis[]> {
  const [status, routing, workers] = await Promise.all([
    readStatus(context),
    surveyRouting(context),
    context.temporal === null ? null : countWorkers(context.temporal).catch(() => null),
  ]);
  const patient = { ...context, ...request, fix: request.fix ?? false, status, routing, workers };
  const found = Object.entries(checks).map(async ([subject, check]): Promise<readonly Diagnosis[]> => {
    try {
      return await check(patient);
    } catch (error) {
      return [{ subject, severity: "error", message: `this could not be looked at: ${messageOf(error)}`, hint: null }];
    }
  });
  return (await Promise.all(found)).flat();
}
