import { WrongUse } from "./failure.ts";

/** Every `step`th whole number from `start` to `end`, both included. */
export interface CronRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** When something is due: at the times that all fields fit, or at intervals. */
export type Timetable =
  | {
      readonly kind: "calendar";
      readonly fields: Readonly<Record<CronField, readonly CronRange[]>>;
      /** An IANA name; null for UTC. */
      readonly timeZone: string | null;
    }
  | { readonly kind: "interval"; readonly everyMs: number; readonly offsetMs: number };

export type CronField = keyof typeof limits;

/** Also known by their first three letters. */
const monthNames = "january february march april may june july august september october november december".split(" ");
const dayNames = "sunday monday tuesday wednesday thursday friday saturday".split(" ");

/** Each field with its bounds as in a cron expression, where 7 is Sunday, too. */
const limits = {
  second: { says: "second", from: 0, to: 59, names: [] as readonly string[] },
  minute: { says: "minute", from: 0, to: 59, names: [] },
  hour: { says: "hour", from: 0, to: 23, names: [] },
  dayOfMonth: { says: "day of the month", from: 1, to: 31, names: [] },
  month: { says: "month", from: 1, to: 12, names: monthNames },
  dayOfWeek: { says: "day of the week", from: 0, to: 7, names: dayNames },
  year: { says: "year", from: 2000, to: 2100, names: [] },
} as const;

const fiveFields = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek"] as const;
const shorthands: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a cron expression as Temporal does: five fields, six with the year behind them, seven with the second before them; `@daily` and
 * its like; `@every 90m`, also with a phase (`@every 1h/15m`); `CRON_TZ=Europe/Berlin` before it. Unlike in crontab, a time must fit the
 * day of the month and the day of the week where both are given. Throws WrongUse that says what is wrong.
 */
export function parseCron(expression: string): Timetable {
  const wrong = (why: string): WrongUse =>
    new WrongUse(
      `"${expression}" is not a cron expression: ${why}`,
      'Give minute, hour, day of month, month and day of week: "0 6 * * 1-5" is six o\'clock (UTC) on working days; or "@every 90m"',
    );
  const [, zone = null, text] = /^\s*(?:(?:CRON_)?TZ=(\S+)\s+)?(.*)$/s.exec(expression)!;
  if (zone !== null && !isTimeZone(zone)) throw wrong(`there is no time zone ${zone}`);
  const rest = text!.trim();
  if (/^@every\b/.test(rest)) return parseInterval(rest, wrong);
  const parts = (shorthands[rest] ?? rest).split(/\s+/).filter((part) => part !== "");
  if (parts.length < 5 || parts.length > 7) throw wrong(`it has ${parts.length} fields, not 5 to 7`);
  const [second, five, year] = [parts.length === 7 ? parts.shift()! : "0", parts.slice(0, 5), parts[5] ?? "*"];
  const read = (field: CronField, value: string): readonly CronRange[] => value.split(",").map((range) => parseRange(field, range, wrong));
  const fields = Object.fromEntries(fiveFields.map((field, index) => [field, read(field, five[index]!)]));
  return {
    kind: "calendar",
    // Temporal's word for any year is none.
    fields: { second: read("second", second), year: year === "*" ? [] : read("year", year), ...fields } as Record<
      CronField,
      readonly CronRange[]
    >,
    timeZone: zone,
  };
}

/** The numbers that ranges stand for, each once and in order; a Sunday is 0. */
export function expandRanges(field: CronField, ranges: readonly CronRange[]): readonly number[] {
  const numbers = new Set<number>();
  for (const { start, end, step } of ranges) {
    for (let each = start; each <= end; each += step) numbers.add(field === "dayOfWeek" ? each % 7 : each);
  }
  return [...numbers].toSorted((a, b) => a - b);
}

/** `*`, `5`, `mon-fri`, `8-18/2`, and `5/20`, which goes on to the end. */
function parseRange(field: CronField, text: string, wrong: (why: string) => WrongUse): CronRange {
  const { says, from, to } = limits[field];
  const found = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,4}))?$/.exec(text);
  const step = Number(found?.[4] ?? 1);
  const start = found?.[1] === "*" ? from : numberOf(field, found?.[2]);
  const end = found?.[3] === undefined ? (found?.[1] === "*" || found?.[4] !== undefined ? to : start) : numberOf(field, found[3]);
  if (found === null || start === null || end === null || step < 1)
    throw wrong(`"${text}" is no ${says}, which goes from ${from} to ${to}`);
  if (end < start) throw wrong(`in "${text}" the ${says} at the end comes before the one at the start`);
  return { start, end, step };
}

function numberOf(field: CronField, text: string | undefined): number | null {
  const { from, to, names } = limits[field];
  if (text === undefined) return null;
  const name = names.findIndex((known) => [known, known.slice(0, 3)].includes(text.toLowerCase()));
  const number = name >= 0 ? name + from : /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  return number >= from && number <= to ? number : null;
}

function parseInterval(text: string, wrong: (why: string) => WrongUse): Timetable {
  const found = /^@every\s+(\S+?)(?:\/(\S+))?$/.exec(text);
  const [everyMs, offsetMs] = [spanOf(found?.[1]), found?.[2] === undefined ? 0 : spanOf(found[2])];
  if (everyMs === null || offsetMs === null) throw wrong("give a span with a unit: @every 90s, @every 15m, @every 1h30m, @every 2d");
  if (everyMs < 1_000) throw wrong("it must be a second at least");
  if (offsetMs >= everyMs) throw wrong("the phase must be shorter than the interval");
  return { kind: "interval", everyMs, offsetMs };
}

/** Whole seconds, as Temporal counts. */
function spanOf(text: string | undefined): number | null {
  if (text === undefined || !/^(\d{1,9}[smhd])+$/.test(text)) return null;
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit!]!, 0);
}

/** Temporal knows the IANA names, letter case included; this runtime knows them in any, and offsets, too. */
function isTimeZone(name: string): boolean {
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    return /^[A-Z]/.test(name) && (timeZone === name || timeZone.toLowerCase() !== name.toLowerCase());
  } catch {
    return false;
  }
}
