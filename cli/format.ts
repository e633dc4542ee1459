export { printable } from "../domain/printable.ts";

const seconds = { minute: 60, hour: 3600, day: 86_400, month: 2_629_800, year: 31_557_600 } as const;

/** `now`, `40 s ago`, `3 h ago`, `in 5 min`; `–` for null. */
export function relativeTime(time: Date | string | null, now: Date = new Date()): string {
  if (time === null) return "–";
  const elapsed = Math.round((now.getTime() - new Date(time).getTime()) / 1000);
  if (Math.abs(elapsed) < 1) return "now";
  const amount = duration(Math.abs(elapsed));
  return elapsed > 0 ? `${amount} ago` : `in ${amount}`;
}

/** A span in its largest whole unit: `850 ms`, `12 s`, `3 h`. */
export function duration(span: number): string {
  if (span < 1) return `${Math.round(span * 1000)} ms`;
  if (span < seconds.minute) return `${Number(span.toFixed(span < 10 ? 1 : 0))} s`;
  if (span < seconds.hour) return `${Math.floor(span / seconds.minute)} min`;
  if (span < 2 * seconds.day) return `${Math.floor(span / seconds.hour)} h`;
  if (span < 2 * seconds.month) return `${Math.floor(span / seconds.day)} d`;
  if (span < 2 * seconds.year) return `${Math.floor(span / seconds.month)} months`;
  return `${Math.floor(span / seconds.year)} years`;
}

/** `2026-11-21 22:58:37Z`, for people; JSON has the full form. */
export function absoluteTime(time: Date | string): string {
  return new Date(time)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** `512 B`, `1.4 kB`, `168 MB`: decimal, as disks and networks count. */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = size;
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `1 file`, `3 files`, `1,204 jobs`. */
export function count(amount: number, noun: string, plural = `${noun}s`): string {
  return `${number(amount)} ${amount === 1 ? noun : plural}`;
}

/** Digits in groups of three: `1,204`. */
export function number(amount: number): string {
  return amount.toLocaleString("en-US");
}

/** The first 12 digits of a hash, enough to tell contents apart by eye. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}
