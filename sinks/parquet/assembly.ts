import type { Lineage } from "../../domain/lineage.ts";
import { chunkField, chunkRange, columnField, fieldOf, itemsOf, magic, numberOf, partFooter, rowGroupField } from "./footer.ts";
import type { PartSchema } from "./footer.ts";
import { lineageChunks } from "./lineage-column.ts";
import { encodeStruct, i64, list, struct, wire } from "./thrift.ts";
import type { ThriftStruct, ThriftValue } from "./thrift.ts";

/**
 * Makes one Parquet file of many. Each part is a whole small file; the bytes of its row groups are appended as they are, with
 * the lineage columns behind them, and the offsets in their metadata are shifted. So a file of any size is written in order,
 * with one part in memory at a time and, for the footer, the metadata of its row groups (some 150 bytes for each column of each).
 *
 * Page indexes lie outside the row groups and are left behind, with everything that points to them: a row group holds at
 * most some 16 MB, and pyarrow writes none either.
 */
export interface Assembly {
  /** Appends a part's row groups. Parts come one after the other. */
  add(part: Uint8Array): Promise<void>;
  rows(): number;
  /** What the footer needs; at least one part must have been added, if only one without rows. */
  result(): { readonly schema: PartSchema; readonly rowGroups: readonly Uint8Array[]; readonly rows: number };
}

export function createAssembly(lineage: Lineage, append: (bytes: Uint8Array) => Promise<void>): Assembly {
  let schema: PartSchema | undefined;
  let rows = 0;
  let position = 0;
  const rowGroups: Uint8Array[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => {
    await append(bytes);
    position += bytes.length;
  };

  return {
    async add(part) {
      const footer = partFooter(part);
      if (schema === undefined) await write(magic);
      schema ??= footer.schema;
      for (const group of footer.rowGroups) {
        const [start, end] = groupRange(group);
        const at = position;
        await write(part.subarray(start, end));
        const added = lineageChunks(lineage, numberOf(group.get(rowGroupField.rows)), position);
        await write(added.bytes);
        rowGroups.push(encodeStruct(movedGroup(group, at - start, at, added.chunks)));
        rows += numberOf(group.get(rowGroupField.rows));
      }
    },
    rows: () => rows,
    result() {
      if (schema === undefined) throw new Error("a Parquet file needs at least one part");
      return { schema, rowGroups, rows };
    },
  };
}

function groupRange(group: ThriftStruct): readonly [number, number] {
  const ranges = itemsOf(group.get(rowGroupField.columns)).map(chunkRange);
  return [Math.min(...ranges.map(([start]) => start)), Math.max(...ranges.map(([, end]) => end))];
}

/** Without an ordinal, which only encryption needs and which ends at 32,767. */
function movedGroup(group: ThriftStruct, shift: number, at: number, added: readonly ThriftValue[]): ThriftStruct {
  const columns = [...itemsOf(group.get(rowGroupField.columns)).map((chunk) => movedChunk(chunk, shift)), ...added];
  const sum = (id: number): ThriftValue =>
    i64(columns.reduce((total, chunk) => total + numberOf(fieldOf(fieldOf(chunk, chunkField.metadata), id)), 0));
  const moved = new Map(group).set(rowGroupField.columns, list(wire.struct, columns));
  moved.set(rowGroupField.totalBytes, sum(columnField.uncompressedBytes));
  moved.set(rowGroupField.compressedBytes, sum(columnField.compressedBytes));
  moved.set(rowGroupField.fileOffset, i64(at));
  moved.delete(rowGroupField.ordinal);
  return moved;
}

/** Keeps of a ColumnChunk only its metadata; the other fields point to page indexes, encryption, or other files. */
function movedChunk(chunk: ThriftValue, shift: number): ThriftValue {
  const metadata = fieldOf(chunk, chunkField.metadata);
  const moved = new Map(metadata?.type === "struct" ? metadata.fields : []);
  for (const id of [columnField.dataPage, columnField.indexPage, columnField.dictionaryPage]) {
    const offset = moved.get(id);
    if (offset !== undefined) moved.set(id, i64(numberOf(offset) + shift));
  }
  moved.delete(bloomFilterOffset);
  moved.delete(bloomFilterBytes);
  return struct([chunkField.fileOffset, i64(0)], [chunkField.metadata, { type: "struct", fields: moved }]);
}

const bloomFilterOffset = 14;
const bloomFilterBytes = 15;
