import type { InferredType } from "../column.ts";
import { list, literal } from "./python.ts";

/** What pyarrow calls an inferred type. */
export function arrowType(type: InferredType): string {
  switch (type.kind) {
    case "integer":
      return "pa.int64()";
    case "number":
      return type.decimal !== null
        ? `pa.decimal128(${type.decimal}, ${type.scale})`
        : type.grouped && type.scale === 0
          ? "pa.int64()"
          : "pa.float64()";
    case "boolean":
      return "pa.bool_()";
    case "time":
      return type.unit === "s" || type.unit === "ms" ? `pa.time32("${type.unit}")` : `pa.time64("${type.unit}")`;
    case "timestamp":
      return `pa.timestamp("${type.unit}"${type.zoned ? ', "UTC"' : ""})`;
    case "format":
      return type.is === "date" ? "pa.date32()" : `pa.timestamp("${type.unit}")`;
    default:
      return "pa.string()";
  }
}

/** The expression that makes values of a type of a column of text; null for text itself. */
export function fromText(type: InferredType, text: string): string | null {
  switch (type.kind) {
    case "integer":
    case "time":
    case "timestamp":
      return `${text}.cast(${arrowType(type)})`;
    case "number":
      return `${plainNumber(type, text)}.cast(${arrowType(type)})`;
    case "boolean":
      return `pc.if_else(pc.is_valid(${text}), pc.is_in(${text}, value_set=pa.array(${list(type.yes)}, pa.string())), None)`;
    case "format":
      return fromFormat(type, text);
    default:
      return null;
  }
}

function plainNumber({ mark, grouped }: Extract<InferredType, { readonly kind: "number" }>, text: string): string {
  const without = grouped ? `pc.replace_substring(${text}, ${literal(mark === "point" ? "," : ".")}, "")` : text;
  return mark === "comma" ? `pc.replace_substring(${without}, ",", ".")` : without;
}

function fromFormat(type: Extract<InferredType, { readonly kind: "format" }>, text: string): string {
  if (type.format === "%Y-%m-%d") return `${text}.cast(pa.date32())`;
  // pyarrow's strptime knows no fractions of a second.
  if (type.format.includes("%f"))
    return `pa.array(pd.to_datetime(${text}.to_pandas(), format=${literal(type.format)}), ${arrowType(type)}, from_pandas=True)`;
  const times = `pc.strptime(${text}, format=${literal(type.format)}, unit="s")`;
  return type.is === "date" ? `${times}.cast(pa.date32())` : times;
}
