import type { CalendarSpec, DayOfWeek, Month, ScheduleOptions, ScheduleSpec } from "@temporalio/client";
import type { SearchAttributePair } from "@temporalio/common";
import { lastActors } from "../../db/audit.ts";
import type { Database } from "../../db/pool.ts";
import { listSources, type Source } from "../../db/source-root.ts";
import { expandRanges, parseCron, type CronField, type Timetable } from "../../domain/cron.ts";
import { messageOf } from "../../domain/failure.ts";
import { requestWorkflowId, scheduleId, searchAttributes, taskQueueOf, workflowTypes } from "../../workflows/names.ts";

/** The Temporal Schedule that a source should have. */
export type ScheduleWish = ScheduleOptions & {
  readonly source: string;
  readonly spec: ScheduleSpec & { readonly jitter: number };
  readonly policies: { readonly overlap: "SKIP"; readonly catchupWindow: number; readonly pauseOnFailure: false };
  readonly action: { readonly taskQueue: string; readonly workflowId: string; readonly staticSummary: string; readonly args: [string] };
  readonly state: { readonly paused: boolean; readonly note: string };
};

/** Temporal takes no less. Milliseconds. */
const catchUpMsMin = 10_000;
const catchUpMsMax = 5 * 60_000;

export interface WishedSchedules {
  readonly wishes: readonly ScheduleWish[];
  /** Sources whose settings make no schedule, and why. */
  readonly refused: readonly { readonly source: string; readonly reason: string }[];
}

/** The schedules that the record asks for, of all sources that are scanned at times. */
export async function wishedSchedules(db: Database): Promise<WishedSchedules> {
  const sources = await listSources(db);
  const paused = sources.filter((source) => source.state === "PAUSED").map((source) => source.name);
  const pausers = paused.length === 0 ? new Map<string, string>() : await lastActors(db, "source.pause", paused);
  const wishes: ScheduleWish[] = [];
  const refused: { source: string; reason: string }[] = [];
  for (const source of sources) {
    try {
      const wish = wishFor(source, pausers.get(source.name));
      if (wish !== null) wishes.push(wish);
    } catch (error) {
      refused.push({ source: source.name, reason: messageOf(error) });
    }
  }
  return { wishes, refused };
}

/** Null for a source that is scanned on request only. Throws WrongUse for a cron expression that is none. */
function wishFor(source: Source, pausedBy: string | undefined): ScheduleWish | null {
  const timetable = timetableOf(source);
  if (timetable === null) return null;
  const { name, jitterMs } = source;
  const paused = source.state === "PAUSED";
  const typedSearchAttributes = [sourceAttribute(name)];
  return {
    source: name,
    scheduleId: scheduleId(name),
    spec: { ...toSpec(timetable, source.cron ?? ""), jitter: jitterMs },
    action: {
      type: "startWorkflow",
      workflowType: workflowTypes.requestScan,
      workflowId: requestWorkflowId(name),
      taskQueue: taskQueueOf(source.workerGroup),
      args: [name],
      staticSummary: `scheduled scan of ${name}`,
      typedSearchAttributes,
    },
    policies: {
      // A request that nobody has answered yet is enough; more of them would only ask for the same.
      overlap: "SKIP",
      // After a downtime one scan finds everything, so that what was missed is not made up; its default is a year.
      catchupWindow: Math.min(catchUpMsMax, Math.max(catchUpMsMin, timetable.kind === "interval" ? timetable.everyMs : catchUpMsMax)),
      // A share that was away for an hour is to be scanned again when it is back.
      pauseOnFailure: false,
    },
    typedSearchAttributes,
    state: {
      paused,
      note: paused
        ? `paused by ${pausedBy ?? "casparian"}: casparian source resume ${name}`
        : `made from the settings of source ${name}: casparian source set ${name}`,
    },
  };
}

/** When a source is scanned wholly; null for on request. */
export function timetableOf({ everyMs, cron }: Pick<Source, "everyMs" | "cron">): Timetable | null {
  // Temporal counts in whole seconds.
  if (everyMs !== null) return { kind: "interval", everyMs: Math.ceil(everyMs / 1_000) * 1_000, offsetMs: 0 };
  return cron === null ? null : parseCron(cron);
}

/** By which the workflows of a source are found. */
export function sourceAttribute(name: string): SearchAttributePair {
  // What Temporal's own function makes; loading its client would take longer than most commands do.
  return { key: { name: searchAttributes.source, type: "KEYWORD" }, value: name };
}

/** Temporal refuses a longer one. */
const commentLengthMax = 200;

/** As Temporal names them in a calendar. */
export const monthNames: readonly Month[] = [
  ...(["JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE"] as const),
  ...(["JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"] as const),
];
export const dayNames: readonly DayOfWeek[] = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];

function toSpec(timetable: Timetable, comment: string): ScheduleSpec {
  if (timetable.kind === "interval") return { intervals: [{ every: timetable.everyMs, offset: timetable.offsetMs }] };
  const { fields, timeZone } = timetable;
  const numbers = (field: CronField) => [...fields[field]];
  const calendar: CalendarSpec = {
    second: numbers("second"),
    minute: numbers("minute"),
    hour: numbers("hour"),
    dayOfMonth: numbers("dayOfMonth"),
    month: numbers("month").map(({ start, end, step }) => ({ start: monthNames[start - 1]!, end: monthNames[end - 1]!, step })),
    // One by one, because a range can't go beyond Saturday.
    dayOfWeek: expandRanges("dayOfWeek", fields.dayOfWeek).map((day) => dayNames[day]!),
    ...(fields.year.length === 0 ? {} : { year: numbers("year") }),
    comment: comment.slice(0, commentLengthMax),
  };
  return { calendars: [calendar], ...(timeZone === null ? {} : { timezone: timeZone }) };
}
