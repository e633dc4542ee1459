import type { RunnerLease, Runners } from "../bridge/runner/listener.ts";
import type { Log } from "../domain/log.ts";

/** How long an activity waits; then the workflow waits, which takes nobody's place. Milliseconds. */
const waitMsMax = 45_000;
/** Jobs that wait in activities at once; others wait in their workflows. */
export const waitingMax = 16;

let waiting = 0;
const told = new Set<string>();

/** A place on a runner of that name, or null where there is none for now. What it waits for is told with the heartbeat, and once in the log. */
export async function waitForRunner(
  runners: Runners | undefined,
  name: string,
  options: { readonly signal: AbortSignal; readonly heartbeat: (detail: unknown) => void; readonly log: Log; readonly jobId: string },
): Promise<RunnerLease | null> {
  const { signal, heartbeat, log, jobId } = options;
  const now = (await runners?.lease(name, { signal, waitMsMax: 0 })) ?? null;
  if (now !== null) {
    told.delete(name);
    return now;
  }
  const connected = runners?.connected().some((runner) => runner.name === name) ?? false;
  const why = connected ? `runner ${name} is busy` : `no runner ${name} is connected`;
  heartbeat({ waitingFor: why });
  if (!connected && !told.has(name)) {
    told.add(name);
    const hint = runners === undefined ? "This worker has no [runners] listen" : `casparian runner --connect … where ${name} is`;
    log.warn(`${why}: jobs wait for it`, { job: jobId, hint });
  }
  if (runners === undefined || waiting >= waitingMax) return null;
  waiting += 1;
  try {
    return await runners.lease(name, { signal, waitMsMax });
  } finally {
    waiting -= 1;
  }
}
