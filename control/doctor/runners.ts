import { readConnected } from "../../bridge/runner/connected.ts";
import { listPluginRunners } from "../../db/plugin-runner.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "runners";

/** Is somebody connected for each plugin that is bound to a runner? Only the worker of this home can be asked. */
export async function checkRunners({ db, stateDir }: Patient): Promise<readonly Diagnosis[]> {
  const connected = readConnected(stateDir);
  return (await listPluginRunners(db)).map(({ plugin, runner }): Diagnosis => {
    const count = connected.filter(({ name }) => name === runner).length;
    if (count > 0) return { subject, severity: "ok", message: `${plugin} runs on runner ${runner}, ${count} connected`, hint: null };
    return {
      subject,
      severity: "warning",
      message: `${plugin} runs on runner ${runner}, and none of that name is connected to the worker of this folder: its jobs wait`,
      hint: `Where ${runner} is: casparian runner --connect tcp://HOST:PORT. Here [runners] listen must be set; or casparian plugin runner ${plugin} --none`,
    };
  });
}
