import { describe, expect, test } from "vitest";
import { expandRanges, parseCron, type CronField } from "../../domain/cron.ts";
import { WrongUse } from "../../domain/failure.ts";

function numbers(expression: string, field: CronField): readonly number[] {
  const timetable = parseCron(expression);
  if (timetable.kind !== "calendar") throw new Error("an interval");
  return expandRanges(field, timetable.fields[field]);
}

test("five fields, with lists, ranges, steps and names", () => {
  const expression = "*/15 8-18/5,23 1,15 jan-mar MON,friday";
  expect(numbers(expression, "second")).toEqual([0]);
  expect(numbers(expression, "minute")).toEqual([0, 15, 30, 45]);
  expect(numbers(expression, "hour")).toEqual([8, 13, 18, 23]);
  expect(numbers(expression, "dayOfMonth")).toEqual([1, 15]);
  expect(numbers(expression, "month")).toEqual([1, 2, 3]);
  expect(numbers(expression, "dayOfWeek")).toEqual([1, 5]);
  expect(numbers(expression, "year")).toEqual([]);
});

test("a year behind them, a second before them, and a shorthand", () => {
  expect(numbers("0 6 * * * 2027-2029", "year")).toEqual([2027, 2028, 2029]);
  expect(numbers("30 0 6 * * * *", "second")).toEqual([30]);
  expect(numbers("30 0 6 * * * *", "hour")).toEqual([6]);
  expect(numbers("@weekly", "dayOfWeek")).toEqual([0]);
});

test("a Sunday is 0 and 7", () => {
  expect(numbers("0 0 * * 7", "dayOfWeek")).toEqual([0]);
  expect(numbers("0 0 * * 5-7", "dayOfWeek")).toEqual([0, 5, 6]);
  expect(numbers("0 0 * * mon/2", "dayOfWeek")).toEqual([0, 1, 3, 5]);
  expect(numbers("0 0 * * *", "dayOfWeek")).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("intervals, and time zones", () => {
  expect(parseCron("@every 1h30m/15m")).toEqual({ kind: "interval", everyMs: 5_400_000, offsetMs: 900_000 });
  expect(parseCron("CRON_TZ=Europe/Berlin 0 6 * * *")).toMatchObject({ timeZone: "Europe/Berlin" });
  expect(parseCron("0 6 * * *")).toMatchObject({ timeZone: null });
});

describe("what is none says why", () => {
  test.each([
    ["", /0 fields, not 5 to 7/],
    ["6 * * *", /4 fields/],
    ["60 * * * *", /"60" is no minute, which goes from 0 to 59/],
    ["0 0 0 * *", /"0" is no day of the month/],
    ["0 0 * 13 *", /"13" is no month/],
    ["0 0 * * funday", /"funday" is no day of the week/],
    ["0 0 * * fri-mon", /comes before/],
    ["*/0 * * * *", /"\*\/0" is no minute/],
    ["1,,2 * * * *", /"" is no minute/],
    ["1- * * * *", /"1-" is no minute/],
    ["0 0 L * *", /"L" is no day of the month/],
    ["0 0 * * * 1999", /"1999" is no year/],
    ["@reboot", /1 fields/],
    ["@every 5", /give a span with a unit/],
    ["@every 0s", /a second at least/],
    ["@every 10s/20s", /the phase must be shorter/],
    ["TZ=Mars/Base 0 6 * * *", /there is no time zone Mars\/Base/],
    ["TZ=europe/berlin 0 6 * * *", /there is no time zone europe\/berlin/],
  ])("%s", (expression, message) => {
    expect(() => parseCron(expression)).toThrow(WrongUse);
    expect(() => parseCron(expression)).toThrow(message);
  });
});
