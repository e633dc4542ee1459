/**
 * Whether a column of type `there` keeps every value of type `given` as it is, or refuses it: the same type, or a wider one of its
 * kind. A text with a limit is none, because Postgres cuts spaces off to fit it. Both as Postgres writes them.
 */
export function takesWithoutLoss(there: string, given: string): boolean {
  if (there === given) return true;
  if (given.endsWith("[]")) return there.endsWith("[]") && takesWithoutLoss(there.slice(0, -2), given.slice(0, -2));
  const digits = integerDigits[given];
  if (digits !== undefined) return (integerDigits[there] ?? 0) >= digits || numericHolds(there, digits, 0);
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(given);
  if (numeric !== null) return numericHolds(there, Number(numeric[1]) - Number(numeric[2]), Number(numeric[2]));
  if (given === "real") return there === "double precision";
  return given === "text" && there === "character varying";
}

const integerDigits: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

function numericHolds(there: string, whole: number, fraction: number): boolean {
  if (there === "numeric") return true;
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)$/.exec(there) ?? [];
  return precision !== undefined && Number(scale) >= fraction && Number(precision) - Number(scale) >= whole;
}
