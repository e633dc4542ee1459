import { DefaultLogger, Runtime } from "@temporalio/worker";
import { destination, pino } from "pino";
import pretty from "pino-pretty";
import type { Log } from "../domain/log.ts";

/** A log to stderr: lines for people on a terminal, JSON lines elsewhere when asked for. */
export function createLog(level: "debug" | "info" | "warn" | "error", format: "text" | "json" = "text"): Log {
  const stream =
    format === "json"
      ? destination({ dest: 2, sync: true })
      : pretty({ destination: 2, sync: true, colorize: process.stderr.isTTY, ignore: "pid,hostname", translateTime: "HH:MM:ss" });
  const logger = pino({ level, base: null }, stream);
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}

/**
 * Sends what Temporal's SDK says to our log, from warnings on. Failing activities are ours to report (the record has them), so the SDK's
 * own lines about them are for debugging. May be called once in a process; later calls change nothing.
 */
export function captureTemporalLog(log: Log): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger("WARN", ({ level, message, meta }) => {
      const expected = message === "Activity failed" || message === "Workflow failed" || message === "Activity task failed";
      const fields = { from: "temporal", ...pick(meta) };
      if (level === "ERROR" && !expected) log.error(message, fields);
      else if (expected) log.debug(message, fields);
      else log.warn(message, fields);
    }),
    telemetryOptions: { logging: { forward: {}, filter: "temporalio_sdk_core=WARN,temporalio_client=WARN" } },
  });
}

let installed = false;

/** The SDK's fields can be large objects; an operator needs the ids. */
function pick(meta: unknown): Record<string, unknown> {
  const fields = (meta ?? {}) as Record<string, unknown>;
  const wanted = ["workflowId", "runId", "activityType", "activityId", "attempt", "error"];
  return Object.fromEntries(
    wanted.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key] instanceof Error ? fields[key].message : fields[key]]),
  );
}
