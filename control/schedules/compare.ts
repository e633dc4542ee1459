import type { CalendarSpecDescription, DayOfWeek, Month, ScheduleDescription, ScheduleSpecDescription } from "@temporalio/client";
import { isDeepStrictEqual } from "node:util";
import { expandRanges, type CronField } from "../../domain/cron.ts";
import { dayNames, monthNames, type ScheduleWish } from "./wish.ts";

/** In what a schedule that Temporal has differs from the one that the record asks for, in words; none where they are the same. */
export function differences(wish: ScheduleWish, found: ScheduleDescription): readonly string[] {
  const pairs: Readonly<Record<string, readonly [unknown, unknown]>> = {
    times: [timesOf(wish.spec as ScheduleSpecDescription), timesOf(found.spec)],
    jitter: [wish.spec.jitter, found.spec.jitter ?? 0],
    policies: [wish.policies, found.policies],
    "what it starts": [
      [wish.action.workflowType, wish.action.workflowId, wish.action.args, wish.action.staticSummary],
      [found.action.workflowType, found.action.workflowId, found.action.args, found.action.staticSummary],
    ],
    "task queue": [wish.action.taskQueue, found.action.taskQueue],
    [wish.state.paused ? "is not paused" : "is paused"]: [wish.state.paused, found.state.paused],
    note: [wish.state.note, found.state.note],
  };
  return Object.entries(pairs)
    .filter(([, [wished, is]]) => !isDeepStrictEqual(wished, is))
    .map(([name]) => name);
}

const fieldNames = ["second", "minute", "hour", "dayOfMonth", "month", "dayOfWeek", "year"] as const satisfies readonly CronField[];

/** A form in which the same times are equal, however they were written. */
function timesOf(spec: ScheduleSpecDescription): unknown {
  return {
    intervals: (spec.intervals ?? []).map(({ every, offset }) => [every, offset ?? 0]),
    calendars: (spec.calendars ?? []).map((calendar) => [calendar.comment ?? "", ...fieldNames.map((field) => numbersOf(field, calendar))]),
    skipped: spec.skip?.length ?? 0,
    timeZone: spec.timezone ?? "",
    bounds: [spec.startAt, spec.endAt],
  };
}

function numbersOf(field: CronField, calendar: CalendarSpecDescription): readonly number[] {
  const ranges = (calendar[field] ?? []) as readonly (string | number | { start: string | number; end: string | number; step: number })[];
  return expandRanges(
    field,
    ranges.map((range) => {
      const { start, end, step } = typeof range === "object" ? range : { start: range, end: range, step: 1 };
      return { start: numberOf(field, start), end: numberOf(field, end), step };
    }),
  );
}

function numberOf(field: CronField, unit: string | number): number {
  if (typeof unit === "number") return unit;
  return field === "month" ? monthNames.indexOf(unit as Month) + 1 : dayNames.indexOf(unit as DayOfWeek);
}
