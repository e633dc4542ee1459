import type { FileHandle } from "node:fs/promises";
import { TerminalFailure } from "../../domain/failure.ts";
import { binary, decodeStruct, decodeValue, encodeStruct, i32, i64, list, skip, struct, visitList, visitStruct, wire } from "./thrift.ts";
import type { ThriftCursor, ThriftStruct, ThriftValue } from "./thrift.ts";

/** Begins and ends every Parquet file. */
export const magic: Uint8Array = Buffer.from("PAR1", "latin1");

/** Fields of FileMetaData, the struct of the footer. Source: apache/parquet-format, parquet.thrift. */
const fileField = { version: 1, schema: 2, rows: 3, rowGroups: 4, keyValues: 5, createdBy: 6, columnOrders: 7 } as const;
/** Fields of RowGroup. */
export const rowGroupField = { columns: 1, totalBytes: 2, rows: 3, fileOffset: 5, compressedBytes: 6, ordinal: 7 } as const;
/** Fields of ColumnChunk. */
export const chunkField = { fileOffset: 2, metadata: 3 } as const;
/** Fields of ColumnMetaData. */
export const columnField = { uncompressedBytes: 6, compressedBytes: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11 } as const;

/** Fields of SchemaElement. */
const elementField = { children: 5 } as const;

const columnShape = Object.fromEntries(Object.values(columnField).map((id) => [id, {}]));
const rowGroupShape = { [rowGroupField.columns]: { [chunkField.metadata]: columnShape }, [rowGroupField.rows]: {} };
const partShape = {
  [fileField.schema]: { [elementField.children]: {} },
  [fileField.rowGroups]: rowGroupShape,
  [fileField.columnOrders]: {},
};

/** What an encoded part says of its schema; the same in every part of one output. */
export interface PartSchema {
  readonly version: ThriftValue;
  readonly elements: readonly ThriftValue[];
  readonly createdBy: ThriftValue;
  readonly columnOrders: readonly ThriftValue[];
}

/** The footer of a whole file in memory; what is returned outlives the file's buffer. */
export function partFooter(file: Uint8Array): { readonly schema: PartSchema; readonly rowGroups: readonly ThriftStruct[] } {
  const footerBytes = new DataView(file.buffer, file.byteOffset + file.length - 8).getUint32(0, true);
  const footer = decodeStruct({ bytes: file.slice(file.length - 8 - footerBytes), at: 0 }, partShape);
  const schema = {
    version: footer.get(fileField.version) ?? i32(1),
    elements: itemsOf(footer.get(fileField.schema)),
    createdBy: footer.get(fileField.createdBy) ?? binary(""),
    columnOrders: itemsOf(footer.get(fileField.columnOrders)),
  };
  return {
    schema,
    rowGroups: itemsOf(footer.get(fileField.rowGroups)).flatMap((group) => (group.type === "struct" ? [group.fields] : [])),
  };
}

export interface FooterContent {
  readonly schema: PartSchema;
  /** Appended to the schema's columns. */
  readonly addedElements: readonly ThriftValue[];
  readonly rows: number;
  /** Encoded RowGroup structs. */
  readonly rowGroups: readonly Uint8Array[];
  readonly keyValues: readonly { readonly key: Uint8Array | string; readonly value: Uint8Array | string }[];
}

/** The end of a file: footer, its length, magic. */
export function encodeFooter(content: FooterContent): Uint8Array {
  const { schema, addedElements } = content;
  const [root, ...columns] = schema.elements;
  const widened = struct(...(root?.type === "struct" ? root.fields : []), [
    elementField.children,
    i32(childCount(root) + addedElements.length),
  ]);
  // The only column order that there is: the type's own.
  const typeOrder = struct([1, struct()]);
  const footer = encodeStruct(
    new Map<number, ThriftValue>([
      [fileField.version, schema.version],
      [fileField.schema, list(wire.struct, [widened, ...columns, ...addedElements])],
      [fileField.rows, i64(content.rows)],
      [
        fileField.rowGroups,
        list(
          wire.struct,
          content.rowGroups.map((value): ThriftValue => ({ type: "raw", of: wire.struct, value })),
        ),
      ],
      [
        fileField.keyValues,
        list(
          wire.struct,
          content.keyValues.map(({ key, value }) => struct([1, binary(key)], [2, binary(value)])),
        ),
      ],
      [fileField.createdBy, schema.createdBy],
      [fileField.columnOrders, list(wire.struct, [...schema.columnOrders, ...addedElements.map(() => typeOrder)])],
    ]),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([footer, length, magic]);
}

export interface FileSummary {
  readonly sizeBytes: number;
  /** The sum over the row groups, which the file's own total must equal. */
  readonly rows: number;
  readonly keyValues: ReadonlyMap<string, string>;
}

/**
 * Reads from disk what a file says of itself, one column's metadata in memory at a time. Throws TerminalFailure
 * SINK_UNREADABLE where it is no whole Parquet file, its counts differ, or a column lies outside of it.
 */
export async function readSummary(handle: FileHandle, path: string): Promise<FileSummary> {
  const { size } = await handle.stat();
  const broken = (why: string, cause?: unknown): TerminalFailure =>
    new TerminalFailure({ code: "SINK_UNREADABLE", message: `${path} is not a whole Parquet file: ${why}`, cause });
  if (size < 12) throw broken(`it has ${size} bytes`);
  const tail = await readAt(handle, size - 8, 8);
  if (!tail.subarray(4).equals(magic)) throw broken("it does not end with PAR1");
  const footerBytes = tail.readUInt32LE(0);
  if (footerBytes > size - 12) throw broken(`its footer is said to have ${footerBytes} bytes`);
  const bytes = await readAt(handle, size - 8 - footerBytes, footerBytes);
  try {
    return { sizeBytes: size, ...visitFooter({ bytes, at: 0 }, size - 8 - footerBytes) };
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error), error);
  }
}

function visitFooter(cursor: ThriftCursor, dataEnd: number): Omit<FileSummary, "sizeBytes"> {
  let rows = 0;
  let total = -1;
  const keyValues = new Map<string, string>();
  visitStruct(cursor, (id, type) => {
    if (id === fileField.rows) total = numberOf(decodeValue(cursor, type, {}));
    else if (id === fileField.rowGroups) visitList(cursor, () => (rows += checkedRows(decodeStruct(cursor, rowGroupShape), dataEnd)));
    else if (id === fileField.keyValues)
      for (const pair of itemsOf(decodeValue(cursor, type, { 1: {}, 2: {} })))
        keyValues.set(textOf(fieldOf(pair, 1)), textOf(fieldOf(pair, 2)));
    else skip(cursor, type);
  });
  if (rows !== total) throw new Error(`its row groups hold ${rows} rows, its footer says ${total}`);
  return { rows, keyValues };
}

function checkedRows(group: ThriftStruct, dataEnd: number): number {
  for (const chunk of itemsOf(group.get(rowGroupField.columns))) {
    const [start, end] = chunkRange(chunk);
    if (start < magic.length || end > dataEnd) throw new Error(`a column lies at bytes ${start} to ${end}, outside of the file's data`);
  }
  return numberOf(group.get(rowGroupField.rows));
}

/** The bytes of the file that a ColumnChunk takes: from its first page, the dictionary's if it has one. */
export function chunkRange(chunk: ThriftValue): readonly [start: number, end: number] {
  const metadata = fieldOf(chunk, chunkField.metadata);
  const dictionary = fieldOf(metadata, columnField.dictionaryPage);
  const data = numberOf(fieldOf(metadata, columnField.dataPage));
  const start = dictionary === undefined ? data : Math.min(data, numberOf(dictionary));
  return [start, start + numberOf(fieldOf(metadata, columnField.compressedBytes))];
}

export function fieldOf(value: ThriftValue | undefined, id: number): ThriftValue | undefined {
  return value?.type === "struct" ? value.fields.get(id) : undefined;
}

export function itemsOf(value: ThriftValue | undefined): readonly ThriftValue[] {
  return value?.type === "list" ? value.items : [];
}

export function numberOf(value: ThriftValue | undefined): number {
  return value?.type === "i64" || value?.type === "i32" ? value.value : 0;
}

function textOf(value: ThriftValue | undefined): string {
  return value?.type === "binary" ? Buffer.from(value.value).toString("utf8") : "";
}

function childCount(root: ThriftValue | undefined): number {
  return numberOf(fieldOf(root, elementField.children));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let read = 0; read < length;) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) throw new TerminalFailure({ code: "SINK_UNREADABLE", message: `the file ended ${length - read} bytes too early` });
    read += bytesRead;
  }
  return buffer;
}
