/**
 * Whether a column of type `there` keeps every value of type `given` as it is: the same type, or a wider one of its kind. Both as DuckDB writes
 * them.
 */
export function takesWithoutLoss(there: string, given: string): boolean {
  if (there === given) return true;
  const [, items] = /^(.*)\[\d*\]$/s.exec(given) ?? [];
  if (items !== undefined) return there.endsWith("[]") && takesWithoutLoss(there.slice(0, -2), items);
  const range = integerBits[given];
  if (range !== undefined) return integerHolds(there, range) || decimalHolds(there, digitsOf(range), 0);
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(given);
  if (decimal !== null) return decimalHolds(there, Number(decimal[1]) - Number(decimal[2]), Number(decimal[2]));
  return wider[given]?.includes(there) ?? false;
}

interface IntegerBits {
  readonly bits: number;
  readonly signed: boolean;
}

const integerBits: Readonly<Record<string, IntegerBits>> = Object.fromEntries(
  [8, 16, 32, 64, 128].flatMap((bits, index) => {
    const name = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"][index]!;
    return [
      [name, { bits, signed: true }],
      [`U${name}`, { bits, signed: false }],
    ];
  }),
);

function integerHolds(there: string, { bits, signed }: IntegerBits): boolean {
  const found = integerBits[there];
  if (found === undefined) return false;
  return found.signed === signed ? found.bits >= bits : found.signed && found.bits > bits;
}

/** Decimal digits that hold each number of so many bits. */
function digitsOf({ bits, signed }: IntegerBits): number {
  return String(2n ** BigInt(bits - Number(signed))).length;
}

function decimalHolds(there: string, whole: number, fraction: number): boolean {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(there) ?? [];
  return precision !== undefined && Number(scale) >= fraction && Number(precision) - Number(scale) >= whole;
}

/** Timestamps of nanoseconds have a smaller range. */
const wider: Readonly<Record<string, readonly string[]>> = {
  FLOAT: ["DOUBLE"],
  TIMESTAMP_S: ["TIMESTAMP_MS", "TIMESTAMP"],
  TIMESTAMP_MS: ["TIMESTAMP"],
  TIME: ["TIME_NS"],
};
