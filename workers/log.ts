import { DefaultLogger, Runtime } from "@temporalio/worker";
import { destination, pino } from "pino";
import pretty from "pino-pretty";
import type { Log } from "../domain/log.ts";
import { printable } from "../domain/printable.ts";

/** A log to stderr: lines for people on a terminal, JSON lines elsewhere when asked for. */
export function createLog(level: "debug" | "info" | "warn" | "error", format: "text" | "json" = "text"): Log {
  const stream =
    format === "json"
      ? destination({ dest: 2, sync: true })
      : pretty({ destination: 2, sync: true, colorize: process.stderr.isTTY, ignore: "pid,hostname", translateTime: "HH:MM:ss" });
  const logger = pino({ level, base: null }, stream);
  return {
    debug: (message, fields) => logger.debug(harmless(fields), printable(message, { keepLines: true })),
    info: (message, fields) => logger.info(harmless(fields), printable(message, { keepLines: true })),
    warn: (message, fields) => logger.warn(harmless(fields), printable(message, { keepLines: true })),
    error: (message, fields) => logger.error(harmless(fields), printable(message, { keepLines: true })),
  };
}

/** A failure's message is what a plugin says, and whoever reads the log does it on a terminal. */
function harmless(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, typeof value === "string" ? printable(value, { keepLines: true }) : value]),
  );
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
