import type { ArrowSchema } from "../../arrow/schema.ts";
import { dateUnits, timeUnits } from "../../arrow/type.ts";
import type { ArrowField, ArrowType } from "../../arrow/type.ts";
import { checkNames, lineageFields, typeRefused } from "../columns.ts";

export interface StoredSchema {
  /** What the encoder is given: units that Parquet has, and no metadata but the field ids, which it writes into its own schema. */
  readonly sent: ArrowSchema;
  /** What a reader is told: the plugin's columns with all their metadata, then the lineage columns. */
  readonly kept: ArrowSchema;
  /** Whether values must be converted on their way, because `sent` differs from what the plugin sends. */
  readonly converts: boolean;
  /** Columns of whole numbers and times, which are packed as differences. */
  readonly deltaColumns: readonly string[];
}

/**
 * Decides how each column is kept, so that pyarrow gets back what the plugin gave. Three types are converted as pyarrow's own
 * `write_table` does, because Parquet lacks them: timestamps and times in seconds to milliseconds, `date64` to `date32`.
 * Dictionaries of strings and of binaries stay dictionaries, others are read back as plain columns of their values' type.
 * Throws TerminalFailure SINK_TYPE and SINK_COLUMNS that name the column.
 */
export function storedSchema(schema: ArrowSchema): StoredSchema {
  checkNames(schema.fields, "a Parquet file");
  for (const field of schema.fields) checkField(field, field.name);
  const sent = schema.fields.map(sentField);
  return {
    sent: { fields: sent, metadata: [] },
    kept: { fields: [...schema.fields.map(keptField), ...lineageFields], metadata: schema.metadata },
    converts: schema.fields.some(needsConversion),
    deltaColumns: sent.filter(isPackedAsDifferences).map(({ name }) => name),
  };
}

/** Whether values of this type are converted on their way: the unit is one that Parquet doesn't have. */
export function isConverted(type: ArrowType): boolean {
  switch (type.kind) {
    case "timestamp":
    case "time":
      return timeUnits[type.unit] === "s";
    case "date":
      return type.unit === dateUnits.ms;
    default:
      return false;
  }
}

function needsConversion(field: ArrowField): boolean {
  return isConverted(field.type) || field.children.some(needsConversion);
}

function checkField(field: ArrowField, path: string): void {
  const reason = whyNotKept(field);
  if (reason !== undefined) throw typeRefused(field, path, "Parquet", reason);
  for (const child of field.children) checkField(child, `${path}.${child.name}`);
}

/** Found by writing every type with the encoder and reading it with pyarrow; `test/sinks/parquet-types.test.ts` does it again. */
function whyNotKept({ type, dictionary, children }: ArrowField): string | undefined {
  // parquet-rs 59.3 writes wrong bytes for dictionaries of fixed-size binaries and panics at those of views.
  if (dictionary !== undefined && (children.length > 0 || type.kind.endsWith("_view") || type.kind === "fixed_size_binary"))
    return "a dictionary's values must be plain numbers, times, strings or binaries";
  switch (type.kind) {
    case "interval":
      return "it has no intervals of months and days";
    case "union":
      return "it has no unions";
    case "run_end_encoded":
      return "it would come back as a plain column";
    case "fixed_size_binary":
      return type.width === 0 ? "a value must have at least one byte" : undefined;
    case "struct":
      return children.length === 0 ? "a struct must have at least one field" : undefined;
    case "decimal":
      return type.scale < 0 || type.scale > type.precision ? "the scale must lie between 0 and the precision" : undefined;
    default:
      return undefined;
  }
}

function sentField(field: ArrowField): ArrowField {
  return {
    ...field,
    type: sentType(field.type),
    children: field.children.map(sentField),
    metadata: field.metadata.filter(({ key }) => Buffer.from(key).equals(fieldIdKey)),
  };
}

const fieldIdKey = Buffer.from("PARQUET:field_id");

function keptField(field: ArrowField): ArrowField {
  const { dictionary, ...plain } = field;
  const kept = { ...plain, type: sentType(field.type), children: field.children.map(keptField) };
  // pyarrow reads other dictionaries as plain columns, and only if they are declared as such with their values' full type.
  const staysDictionary = /^(large_)?(string|binary)$/.test(field.type.kind);
  return dictionary !== undefined && staysDictionary ? { ...kept, dictionary } : kept;
}

function sentType(type: ArrowType): ArrowType {
  if (!isConverted(type)) return type;
  return type.kind === "date" ? { kind: "date", unit: dateUnits.day } : ({ ...type, unit: timeUnits.indexOf("ms") } as ArrowType);
}

/** Nested columns can't be addressed by the encoder's options, and dictionaries are kept as they are. */
function isPackedAsDifferences({ type, dictionary }: ArrowField): boolean {
  return dictionary === undefined && ["int", "date", "time", "timestamp", "duration"].includes(type.kind);
}
