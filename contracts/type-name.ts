import { dateUnits, timeUnits, typeName, type ArrowField, type ArrowType } from "../arrow/type.ts";

/**
 * The type of a name as `typeName` gives it, without what is nested or has a dictionary; null for others. `decimal(10, 2)`, `float64`,
 * `date32` and the like are taken, too.
 */
export function parseType(name: string): ArrowType | null {
  const text = name.replaceAll(" ", "");
  const plain = plainTypes.get(text);
  if (plain !== undefined) return plain;
  const [, signed, bits] = /^(u?)int(8|16|32|64)$/.exec(text) ?? [];
  if (bits !== undefined) return { kind: "int", bits: Number(bits), signed: signed === "" };
  const [, width = "128", precision, scale] = /^decimal(32|64|128|256)?\((\d+),(-?\d+)\)$/.exec(text) ?? [];
  if (precision !== undefined && Number(precision) <= digitsMax[Number(width)]! && Number(precision) > 0)
    return { kind: "decimal", precision: Number(precision), scale: Number(scale), bits: Number(width) };
  const [, kind, unitName, , zone] = /^(time32|time64|timestamp|duration)\[(s|ms|us|ns)(,tz=(.+))?\]$/.exec(text) ?? [];
  const unit = timeUnits.findIndex((each) => each === unitName);
  if (kind === "timestamp") return { kind, unit, ...(zone === undefined ? {} : { zone }) };
  if (kind === "duration" && zone === undefined) return { kind, unit };
  if (kind !== undefined && zone === undefined && unit < 2 === (kind === "time32")) return { kind: "time", unit, bits: unit < 2 ? 32 : 64 };
  return null;
}

const digitsMax: Readonly<Record<number, number>> = { 32: 9, 64: 18, 128: 38, 256: 76 };

const plainTypes: ReadonlyMap<string, ArrowType> = new Map<string, ArrowType>([
  ...(["null", "bool", "string", "large_string", "string_view", "binary", "large_binary", "binary_view"] as const).map(
    (kind): [string, ArrowType] => [kind, { kind }],
  ),
  ...["halffloat", "float", "double"].map((name, precision): [string, ArrowType] => [name, { kind: "float", precision }]),
  ...["float16", "float32", "float64"].map((name, precision): [string, ArrowType] => [name, { kind: "float", precision }]),
  ...["date32", "date32[day]"].map((name): [string, ArrowType] => [name, { kind: "date", unit: dateUnits.day }]),
  ...["date64", "date64[ms]"].map((name): [string, ArrowType] => [name, { kind: "date", unit: dateUnits.ms }]),
]);

/** A column of a plain type. */
export function plainField(name: string, type: ArrowType, nullable: boolean): ArrowField {
  return { name, type, nullable, children: [], metadata: [] };
}

/** The name as `typeName` writes it, for what people write: `decimal(10,2)` is `decimal128(10, 2)`. Other names stay. */
export function canonicalType(name: string): string {
  const type = parseType(name);
  return type === null ? name : typeName({ type, children: [] });
}

/** The type of the values of `dictionary<values=string, …>`; any other is itself. */
export function valuesType(name: string): string {
  return /^dictionary<values=(.*), indices=u?int\d+, ordered=[01]>$/s.exec(name)?.[1] ?? name;
}
