import { InvalidArgumentError } from "commander";

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** `500ms`, `30s`, `5m`, `2h`, `7d`; a bare number is seconds. Milliseconds, at most ten years. */
export function parseDuration(text: string): number {
  const span = parse(text, timeUnits, "s");
  if (span === null || span > 3_652 * 86_400_000) throw new InvalidArgumentError("Give a span of time: 500ms, 30s, 5m, 2h or 7d.");
  return Math.round(span);
}

/** `100`, `10kB`, `5MB`, `2GiB`; a bare number is bytes. */
export function parseSize(text: string): number {
  const size = parse(text, sizeUnits, "b");
  if (size === null || size > Number.MAX_SAFE_INTEGER) throw new InvalidArgumentError("Give a size: 100, 10kB, 5MB or 2GiB.");
  return Math.round(size);
}

/** Takes `none` for null, and everything else as `parse` does. */
export function orNone<T>(parseValue: (text: string) => T): (text: string) => T | null {
  return (text) => (text === "none" ? null : parseValue(text));
}

/** A whole number, negative ones included. */
export function parsePriority(text: string): number {
  const priority = Number(text);
  if (!/^[+-]?\d{1,4}$/.test(text) || Math.abs(priority) > 1_000) throw new InvalidArgumentError("Give a whole number from -1000 to 1000.");
  return priority;
}

function parse(text: string, units: Readonly<Record<string, number>>, bareUnit: string): number | null {
  const found = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  const factor = units[(found?.[2] || bareUnit).toLowerCase()];
  return found === null || factor === undefined ? null : Number(found[1]) * factor;
}
