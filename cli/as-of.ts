import { WrongUse } from "../domain/failure.ts";
import { parseDuration } from "./quantity.ts";

/**
 * A time that has been, as ISO 8601 in UTC: from `2026-11-21`, `2026-11-21T06:00`, `2026-11-21 06:00:00.123456Z`, where no zone means
 * this machine's, from `2h` for two hours ago, or `yesterday` for the same time yesterday. Keeps microseconds. Throws WrongUse.
 */
export function parseAsOf(text: string, now: Date = new Date()): string {
  const time = parse(text.trim(), now);
  if (time === null) throw new WrongUse(`"${text}" is not a time`, "Give it like 2026-11-21T06:00Z, 2026-11-21, 2h (ago) or yesterday");
  if (new Date(time) > now) throw new WrongUse(`${time} is still to come`, "Give a time that has been");
  return time;
}

function parse(text: string, now: Date): string | null {
  if (text === "now") return now.toISOString();
  if (text === "yesterday") {
    const before = new Date(now);
    before.setDate(before.getDate() - 1);
    return before.toISOString();
  }
  if (/^\d+(\.\d+)? ?[a-z]+$/i.test(text)) return ago(text, now);
  return isoTime(text);
}

function ago(text: string, now: Date): string | null {
  try {
    return new Date(now.getTime() - parseDuration(text)).toISOString();
  } catch {
    return null;
  }
}

function isoTime(text: string): string | null {
  const [, date, clock = "00:00", fraction = "", zone = ""] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,9})?)? ?(Z|[+-]\d{2}(?::?\d{2})?)?$/i.exec(text) ?? [];
  if (date === undefined) return null;
  const offset = /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone.toUpperCase().replace(/^([+-]\d{2})(\d{2})$/, "$1:$2");
  const whole = new Date(`${date}T${clock}${offset}`);
  if (Number.isNaN(whole.getTime())) return null;
  // The record counts microseconds, which Date doesn't.
  return whole.toISOString().replace(".000Z", `${fraction.slice(0, 7)}Z`);
}
