/** The type in which values of several types can be together without a change; `checked` where not each value of them can. */
export interface CommonType {
  readonly type: string;
  /** Whether whole numbers must be examined: beyond 2^53 a double doesn't have them all. */
  readonly checked: boolean;
}

/** That of a column in which every value is null, and which goes with every other. */
export const noType = "NULL";

/**
 * The narrowest of DuckDB's types that holds every value of all the given ones, or null where there is none. Whole numbers widen to wider
 * ones and to decimals that have room for them, floats to doubles, timestamps to finer units; whole numbers join doubles, because a file
 * in which one is missing has often become one of doubles. Nothing becomes text, and no date a timestamp.
 */
export function commonType(types: readonly string[]): CommonType | null {
  const [first, ...others] = [...new Set(types)].filter((type) => type !== noType).toSorted(byRoom);
  if (first === undefined) return { type: types[0]!, checked: false };
  let common: CommonType | null = { type: first, checked: false };
  for (const other of others) {
    if (common === null) return null;
    const joined = join(common.type, other);
    common = joined === null ? null : { type: joined.type, checked: common.checked || joined.checked };
  }
  return common;
}

/** What takes in most comes first, so that the result doesn't depend on the order of files. */
function byRoom(a: string, b: string): number {
  const rank = (type: string): number => (isFloat(type) ? 0 : type.startsWith("DECIMAL") ? 1 : 2);
  return rank(a) - rank(b) || Number(a > b) - Number(a < b);
}

function join(a: string, b: string): CommonType | null {
  const exact = (type: string | null): CommonType | null => (type === null ? null : { type, checked: false });
  if (a === b) return exact(a);
  const [ia, ib] = [integers[a], integers[b]];
  if (ia !== undefined && ib !== undefined) return exact(wholeNumber(ia.signed || ib.signed, Math.max(roomOf(ia, ib), roomOf(ib, ia))));
  const [da, db] = [decimalOf(a), decimalOf(b)];
  if (da !== null && db !== null) return exact(decimal(Math.max(da.whole, db.whole), Math.max(da.scale, db.scale)));
  if (isFloat(a) && isFloat(b)) return exact("DOUBLE");
  if (isFloat(a) && ib !== undefined) return ib.bits > 64 ? null : { type: "DOUBLE", checked: ib.bits > 32 };
  if (isFloat(b) && ia !== undefined) return join(b, a);
  const [ta, tb] = [timestamps.indexOf(a), timestamps.indexOf(b)];
  return ta >= 0 && tb >= 0 ? exact(timestamps[Math.max(ta, tb)]!) : null;
}

interface WholeNumber {
  readonly bits: number;
  readonly signed: boolean;
  readonly digits: number;
}

const integers: Readonly<Record<string, WholeNumber>> = {
  TINYINT: { bits: 8, signed: true, digits: 3 },
  SMALLINT: { bits: 16, signed: true, digits: 5 },
  INTEGER: { bits: 32, signed: true, digits: 10 },
  BIGINT: { bits: 64, signed: true, digits: 19 },
  HUGEINT: { bits: 128, signed: true, digits: 39 },
  UTINYINT: { bits: 8, signed: false, digits: 3 },
  USMALLINT: { bits: 16, signed: false, digits: 5 },
  UINTEGER: { bits: 32, signed: false, digits: 10 },
  UBIGINT: { bits: 64, signed: false, digits: 20 },
};

const timestamps: readonly string[] = ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS"];

/** The bits that the first one's values need where the second one is there, too: an unsigned one needs a sign then. */
function roomOf(one: WholeNumber, other: WholeNumber): number {
  return !one.signed && other.signed ? one.bits * 2 : one.bits;
}

function wholeNumber(signed: boolean, bits: number): string | null {
  return Object.entries(integers).find(([, candidate]) => candidate.signed === signed && candidate.bits === bits)?.[0] ?? null;
}

function isFloat(type: string): boolean {
  return type === "FLOAT" || type === "DOUBLE";
}

/** A whole number is a decimal without digits after the point. */
function decimalOf(type: string): { readonly whole: number; readonly scale: number } | null {
  const integer = integers[type];
  if (integer !== undefined) return { whole: integer.digits, scale: 0 };
  const [, width, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  return width === undefined || scale === undefined ? null : { whole: Number(width) - Number(scale), scale: Number(scale) };
}

function decimal(whole: number, scale: number): string | null {
  return whole + scale > 38 ? null : `DECIMAL(${whole + scale},${scale})`;
}
