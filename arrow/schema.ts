import { TerminalFailure } from "../domain/failure.ts";
import type { ArrowDictionary, ArrowField, ArrowMetadata, ArrowType } from "./type.ts";
import { encapsulate, messageVersion } from "./message.ts";
import { bytesIn, encodeFlat, scalarIn, tableIn, tablesIn, vectorIn } from "./flatbuffer.ts";
import type { FlatFields, FlatTable, FlatValue, ScalarKind } from "./flatbuffer.ts";

export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ArrowMetadata;
}

/** How the parameters of each type lie in its table: `[property, slot, kind, default]`, by the union's tag. */
const typeLayouts: readonly (readonly [kind: ArrowType["kind"], ...parameters: Parameter[]])[] = [
  ["null"], // 0 is "no type" and never comes
  ["null"],
  ["int", ["bits", 0, "i32", 0], ["signed", 1, "bool", false]],
  ["float", ["precision", 0, "i16", 0]],
  ["binary"],
  ["string"],
  ["bool"],
  ["decimal", ["precision", 0, "i32", 0], ["scale", 1, "i32", 0], ["bits", 2, "i32", 128]],
  ["date", ["unit", 0, "i16", 1]],
  ["time", ["unit", 0, "i16", 1], ["bits", 1, "i32", 32]],
  ["timestamp", ["unit", 0, "i16", 0], ["zone", 1, "text", undefined]],
  ["interval", ["unit", 0, "i16", 0]],
  ["list"],
  ["struct"],
  ["union", ["mode", 0, "i16", 0]],
  ["fixed_size_binary", ["width", 0, "i32", 0]],
  ["fixed_size_list", ["size", 0, "i32", 0]],
  ["map", ["sorted", 0, "bool", false]],
  ["duration", ["unit", 0, "i16", 1]],
  ["large_binary"],
  ["large_string"],
  ["large_list"],
  ["run_end_encoded"],
  ["binary_view"],
  ["string_view"],
  ["list_view"],
  ["large_list_view"],
];

type Parameter = readonly [property: string, slot: number, kind: ScalarKind | "text", fallback: number | boolean | undefined];

/** Reads the header of a schema message. Throws TerminalFailure SINK_SCHEMA for types that the format's version 1.5 doesn't know. */
export function readSchema(header: FlatTable): ArrowSchema {
  if (scalarIn(header, 0, "i16", 0) !== 0)
    throw new TerminalFailure({ code: "SINK_SCHEMA", message: "the Arrow data is big-endian; only little-endian data can be written" });
  let room = fieldsMax;
  const readField = (table: FlatTable): ArrowField => {
    if (--room < 0)
      throw new TerminalFailure({ code: "SINK_SCHEMA", message: `the Arrow schema has more than ${fieldsMax} columns and nested fields` });
    return fieldOf(table, readField);
  };
  return { fields: tablesIn(header, 1).map(readField), metadata: readMetadata(header, 2) };
}

/** A message of some hundred bytes could otherwise stand for millions of fields, because its tables may be used again and again. */
const fieldsMax = 100_000;

/** The encapsulated message of a schema. Lossless but for the parameters of unions, which no sink takes. */
export function writeSchema(schema: ArrowSchema): Uint8Array {
  const header: FlatFields = new Map<number, FlatValue>([
    [1, { kind: "tables", value: schema.fields.map(fieldTable) }],
    ...metadataSlot(2, schema.metadata),
  ]);
  const message: FlatFields = new Map<number, FlatValue>([
    [0, { kind: "i16", value: messageVersion }],
    [1, { kind: "u8", value: 1 }],
    [2, { kind: "table", value: header }],
    [3, { kind: "i64", value: 0 }],
  ]);
  return encapsulate(encodeFlat(message));
}

function fieldOf(table: FlatTable, readField: (child: FlatTable) => ArrowField): ArrowField {
  const name = textIn(table, 0) ?? "";
  const dictionary = tableIn(table, 4);
  return {
    name,
    nullable: scalarIn(table, 1, "bool", false) === true,
    type: readType(name, Number(scalarIn(table, 2, "u8", 0)), tableIn(table, 3)),
    ...(dictionary && { dictionary: readDictionary(dictionary) }),
    children: tablesIn(table, 5).map(readField),
    metadata: readMetadata(table, 6),
  };
}

function readType(field: string, tag: number, table: FlatTable | undefined): ArrowType {
  const layout = tag === 0 ? undefined : typeLayouts[tag];
  if (layout === undefined || table === undefined)
    throw new TerminalFailure({
      code: "SINK_SCHEMA",
      message: `column "${field}" has a type that is not known here (Arrow's number ${tag})`,
    });
  const [kind, ...parameters] = layout;
  const type: Record<string, unknown> = { kind };
  for (const [property, slot, scalar, fallback] of parameters) {
    const value = scalar === "text" ? textIn(table, slot) : scalarIn(table, slot, scalar, fallback ?? 0);
    if (value !== undefined) type[property] = value;
  }
  const codes = kind === "union" ? vectorIn(table, 1) : undefined;
  if (codes !== undefined) type["codes"] = Array.from({ length: codes.length }, (_, at) => table.view.getInt32(codes.at + 4 * at, true));
  return type as unknown as ArrowType;
}

function readDictionary(table: FlatTable): ArrowDictionary {
  const index = tableIn(table, 1);
  return {
    id: Number(scalarIn(table, 0, "i64", 0)),
    // Where the schema names no index type it is int32.
    index: {
      kind: "int",
      bits: index ? Number(scalarIn(index, 0, "i32", 0)) : 32,
      signed: index ? scalarIn(index, 1, "bool", false) === true : true,
    },
    ordered: scalarIn(table, 2, "bool", false) === true,
  };
}

function readMetadata(table: FlatTable, slot: number): ArrowMetadata {
  const none = new Uint8Array(0);
  // Copies, because the message's bytes belong to its sender.
  return tablesIn(table, slot).map((pair) => ({
    key: new Uint8Array(bytesIn(pair, 0) ?? none),
    value: new Uint8Array(bytesIn(pair, 1) ?? none),
  }));
}

function textIn(table: FlatTable, slot: number): string | undefined {
  const bytes = bytesIn(table, slot);
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function fieldTable(field: ArrowField): FlatFields {
  const tag = typeLayouts.findIndex(([kind], index) => index > 0 && kind === field.type.kind);
  return new Map<number, FlatValue>([
    [0, { kind: "bytes", value: Buffer.from(field.name, "utf8") }],
    [1, { kind: "bool", value: field.nullable }],
    [2, { kind: "u8", value: tag }],
    [3, { kind: "table", value: typeTable(field.type, tag) }],
    ...(field.dictionary ? [[4, { kind: "table", value: dictionaryTable(field.dictionary) }] as const] : []),
    // Arrow C++ wants the vector also where a type has no children.
    [5, { kind: "tables", value: field.children.map(fieldTable) }],
    ...metadataSlot(6, field.metadata),
  ]);
}

function typeTable(type: ArrowType, tag: number): FlatFields {
  const [, ...parameters] = typeLayouts[tag] ?? ["null"];
  const values = type as unknown as Readonly<Record<string, number | boolean | string | undefined>>;
  const fields = new Map<number, FlatValue>();
  for (const [property, slot, kind] of parameters) {
    const value = values[property];
    if (value === undefined) continue;
    if (typeof value === "string") fields.set(slot, { kind: "bytes", value: Buffer.from(value, "utf8") });
    else if (kind !== "text") fields.set(slot, { kind, value });
  }
  return fields;
}

function dictionaryTable({ id, index, ordered }: ArrowDictionary): FlatFields {
  const indexTable = new Map<number, FlatValue>([
    [0, { kind: "i32", value: index.bits }],
    [1, { kind: "bool", value: index.signed }],
  ]);
  return new Map<number, FlatValue>([
    [0, { kind: "i64", value: id }],
    [1, { kind: "table", value: indexTable }],
    [2, { kind: "bool", value: ordered }],
  ]);
}

function metadataSlot(slot: number, metadata: ArrowMetadata): [number, FlatValue][] {
  if (metadata.length === 0) return [];
  const pairs = metadata.map(
    ({ key, value }): FlatFields =>
      new Map<number, FlatValue>([
        [0, { kind: "bytes", value: key }],
        [1, { kind: "bytes", value }],
      ]),
  );
  return [[slot, { kind: "tables", value: pairs }]];
}
