import { putDigits } from "./numbers.ts";
import type { TextBuffer } from "./text-buffer.ts";

const dash = 0x2d;
const colon = 0x3a;
const point = 0x2e;
const letterT = 0x54;

/** Years of four digits; `arrow/text.ts` writes the others. */
const daysMin = -719_528;
const daysMax = 2_932_896;

/** Writes days since 1970 as `2026-01-02`; false where the year has not four digits. */
export type PutDate = (out: TextBuffer, days: number) => boolean;

/** Dates come in runs, so the last one's text is kept. */
export function dateWriter(): PutDate {
  const text = new Uint8Array(10);
  let last = NaN;
  return (out, days) => {
    if (days !== last) {
      if (!(days >= daysMin && days <= daysMax)) return false;
      const from = out.at;
      putCivil(out, days);
      text.set(out.bytes.subarray(from, out.at));
      last = days;
      return true;
    }
    out.put(text);
    return true;
  };
}

/** Writes seconds since 1970, and what follows them in 10^-`digits` seconds, as `2026-01-02T03:04:05.678`; false where the year has not four digits. */
export function instantWriter(digits: number): (out: TextBuffer, seconds: number, fraction: number) => boolean {
  const putDate = dateWriter();
  return (out, seconds, fraction) => {
    const days = Math.floor(seconds / 86_400);
    if (!putDate(out, days)) return false;
    out.putByte(letterT);
    putTimeOfDay(out, seconds - days * 86_400, fraction, digits);
    return true;
  };
}

/** A second of the day, and what follows it in 10^-`digits` seconds, as `03:04:05.678`. */
export function putTimeOfDay(out: TextBuffer, seconds: number, fraction: number, digits: number): void {
  const minutes = (seconds / 60) | 0;
  const hours = (minutes / 60) | 0;
  putDigits(out, hours, 2);
  out.putByte(colon);
  putDigits(out, minutes - 60 * hours, 2);
  out.putByte(colon);
  putDigits(out, seconds - 60 * minutes, 2);
  if (digits === 0) return;
  out.putByte(point);
  putDigits(out, fraction, digits);
}

/** Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
function putCivil(out: TextBuffer, days: number): void {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  putDigits(out, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4);
  out.putByte(dash);
  putDigits(out, month, 2);
  out.putByte(dash);
  putDigits(out, dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1, 2);
}
