/** The types of Arrow's columns. Source: Apache Arrow format/Schema.fbs. */
export type ArrowType =
  | { readonly kind: BareKind }
  | { readonly kind: "int"; readonly bits: number; readonly signed: boolean }
  | { readonly kind: "float"; readonly precision: number }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number; readonly bits: number }
  | { readonly kind: "date"; readonly unit: number }
  | { readonly kind: "time"; readonly unit: number; readonly bits: number }
  | { readonly kind: "timestamp"; readonly unit: number; readonly zone?: string }
  | { readonly kind: "duration"; readonly unit: number }
  | { readonly kind: "interval"; readonly unit: number }
  | { readonly kind: "union"; readonly mode: number; /** Of the columns below it, in their order. */ readonly codes?: readonly number[] }
  | { readonly kind: "fixed_size_binary"; readonly width: number }
  | { readonly kind: "fixed_size_list"; readonly size: number }
  | { readonly kind: "map"; readonly sorted: boolean };

/** Types without parameters. */
export type BareKind =
  | "null"
  | "bool"
  | "binary"
  | "string"
  | "large_binary"
  | "large_string"
  | "binary_view"
  | "string_view"
  | "list"
  | "large_list"
  | "list_view"
  | "large_list_view"
  | "struct"
  | "run_end_encoded";

/** Units of times, timestamps and durations, by Arrow's number. */
export const timeUnits = ["s", "ms", "us", "ns"] as const;
/** Units of dates, by Arrow's number. */
export const dateUnits = { day: 0, ms: 1 } as const;

export interface ArrowField {
  readonly name: string;
  readonly nullable: boolean;
  /** Of the values, where they are dictionary-encoded. */
  readonly type: ArrowType;
  readonly dictionary?: ArrowDictionary;
  readonly children: readonly ArrowField[];
  readonly metadata: ArrowMetadata;
}

export interface ArrowDictionary {
  readonly id: number;
  readonly index: { readonly kind: "int"; readonly bits: number; readonly signed: boolean };
  readonly ordered: boolean;
}

/** Pairs of key and value; Arrow C++ allows any bytes in both. */
export type ArrowMetadata = readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];

/** A field's type in the words of pyarrow: `timestamp[us, tz=UTC]`, `list<item: int32>`. */
export function typeName({ type, dictionary, children }: Pick<ArrowField, "type" | "dictionary" | "children">): string {
  if (dictionary === undefined) return valueTypeName(type, children);
  const indices = valueTypeName(dictionary.index, []);
  return `dictionary<values=${valueTypeName(type, children)}, indices=${indices}, ordered=${dictionary.ordered ? 1 : 0}>`;
}

/** Fields in words, as contracts and the record have them. */
export function describeFields(
  fields: readonly ArrowField[],
): readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[] {
  return fields.map((field) => ({ name: field.name, type: typeName(field), nullable: field.nullable }));
}

function valueTypeName(type: ArrowType, children: readonly ArrowField[]): string {
  switch (type.kind) {
    case "int":
      return `${type.signed ? "" : "u"}int${type.bits}`;
    case "float":
      return ["halffloat", "float", "double"][type.precision] ?? "float";
    case "decimal":
      return `decimal${type.bits}(${type.precision}, ${type.scale})`;
    case "date":
      return type.unit === dateUnits.day ? "date32[day]" : "date64[ms]";
    case "time":
      return `time${type.bits}[${timeUnits[type.unit]}]`;
    case "timestamp":
      return `timestamp[${timeUnits[type.unit]}${type.zone === undefined ? "" : `, tz=${type.zone}`}]`;
    case "duration":
      return `duration[${timeUnits[type.unit]}]`;
    case "interval":
      return ["month_interval", "day_time_interval", "month_day_nano_interval"][type.unit] ?? "interval";
    case "fixed_size_binary":
      return `fixed_size_binary[${type.width}]`;
    case "fixed_size_list":
      return `fixed_size_list<${childNames(children)}>[${type.size}]`;
    case "map":
      return `map<${(children[0]?.children ?? []).map(typeName).join(", ")}${type.sorted ? ", keys_sorted" : ""}>`;
    case "union":
      return `${type.mode === 0 ? "sparse" : "dense"}_union<${childNames(children)}>`;
    case "list":
    case "large_list":
    case "list_view":
    case "large_list_view":
    case "struct":
    case "run_end_encoded":
      return `${type.kind}<${childNames(children)}>`;
    default:
      return type.kind;
  }
}

function childNames(children: readonly ArrowField[]): string {
  return children.map((child) => `${child.name}: ${typeName(child)}${child.nullable ? "" : " not null"}`).join(", ");
}

/** Whether it is Arrow's extension type for UUIDs. */
export function isUuid({ type, metadata }: ArrowField): boolean {
  if (type.kind !== "fixed_size_binary" || type.width !== 16) return false;
  return metadata.some(({ key, value }) => Buffer.from(key).equals(extensionKey) && Buffer.from(value).equals(uuidName));
}

const extensionKey = Buffer.from("ARROW:extension:name");
const uuidName = Buffer.from("arrow.uuid");
