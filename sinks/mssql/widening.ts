import { declaration, type SqlType } from "./sql-type.ts";

/** A column of a table, as `sys.columns` has it. */
export interface FoundColumn {
  readonly name: string;
  readonly type: string;
  /** Bytes; -1 for `max`. */
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
  /** Whether a row without it is refused. */
  readonly isRequired: boolean;
}

/** As T-SQL declares it. */
export function foundType({ type, length, precision, scale }: FoundColumn): string {
  const limit = length === -1 ? "max" : String(/^n(var)?char$/.test(type) ? length / 2 : length);
  if (/char$|binary$/.test(type)) return `${type}(${limit})`;
  if (type === "decimal" || type === "numeric") return `decimal(${precision},${scale})`;
  return /^(time|datetime2|datetimeoffset)$/.test(type) ? `${type}(${scale})` : type;
}

/**
 * Whether a column of a table keeps every value of a type as it is: the same type, or a wider one of its kind. A text with a limit is none,
 * because what is too long would be found out at the commit only.
 */
export function takesWithoutLoss(there: FoundColumn, given: SqlType): boolean {
  if (foundType(there) === declaration(given)) return true;
  const digits = integerDigits[given.base];
  if (digits !== undefined) return (integerDigits[there.type] ?? 0) > digits || decimalHolds(there, digits, 0);
  switch (given.base) {
    case "decimal":
      return decimalHolds(there, given.precision - given.scale, given.scale);
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return there.type === given.base && there.scale >= given.scale;
    case "real":
      return there.type === "float" && there.precision === 53;
    case "binary":
      return there.type === "varbinary" && there.length === -1;
    default:
      return false;
  }
}

const integerDigits: Readonly<Record<string, number>> = { tinyint: 3, smallint: 5, int: 10, bigint: 19 };

function decimalHolds({ type, precision, scale }: FoundColumn, whole: number, fraction: number): boolean {
  return (type === "decimal" || type === "numeric") && scale >= fraction && precision - scale >= whole;
}
