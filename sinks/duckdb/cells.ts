import binding from "@duckdb/node-bindings";
import { isUuid, type ArrowField } from "../../arrow/type.ts";
import { decimalOf, isArray } from "./sql-type.ts";

/**
 * Values on their way into one vector of DuckDB, laid out as it has them: at a place there is a value or none. Grown as needed and used
 * again for the next vector. Source: DuckDB, "C API: Vectors".
 */
export abstract class Cells {
  /** A bit is set where a value is there. */
  private validity = new Uint8Array(256).fill(0xff);
  private hasNulls = false;

  /** Forgets all values. */
  reset(): void {
    if (!this.hasNulls) return;
    this.validity.fill(0xff);
    this.hasNulls = false;
  }

  /** Makes room for so many places. */
  reserve(places: number): void {
    const bytes = Math.ceil(places / 64) * 8;
    if (bytes <= this.validity.length) return;
    const larger = new Uint8Array(Math.max(bytes, 2 * this.validity.length)).fill(0xff);
    larger.set(this.validity);
    this.validity = larger;
  }

  setNull(at: number): void {
    this.validity[at >> 3]! &= ~(1 << (at & 7));
    this.hasNulls = true;
  }

  /** Copies the first so many places into the vector, which has forgotten what was in it. */
  flush(vector: Vector, places: number): void {
    if (!this.hasNulls) return;
    binding.vector_ensure_validity_writable(vector);
    copyAll(binding.copy_data_to_vector_validity, vector, this.validity, Math.ceil(places / 64) * 8);
  }
}

export type Vector = ReturnType<typeof binding.data_chunk_get_vector>;

/** Values of so many bytes each. */
export class FixedCells extends Cells {
  bytes: Uint8Array;
  view: DataView;
  /** The same memory as 32-bit halves. */
  words: Int32Array;
  readonly width: number;

  constructor(width: number) {
    super();
    this.width = width;
    this.bytes = new Uint8Array(placesAtFirst * width);
    [this.view, this.words] = viewsOf(this.bytes);
  }

  override reserve(places: number): void {
    super.reserve(places);
    if (places * this.width <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(places * this.width, 2 * this.bytes.length));
    larger.set(this.bytes);
    this.bytes = larger;
    [this.view, this.words] = viewsOf(larger);
  }

  override flush(vector: Vector, places: number): void {
    copyAll(binding.copy_data_to_vector, vector, this.bytes, places * this.width);
    super.flush(vector, places);
  }
}

/** What a vector of DuckDB holds at most. */
export const placesAtFirst = binding.vector_size();

/** Texts and bytes. Up to twelve of them lie in the vector itself, behind their length; DuckDB takes longer ones into its own memory. */
export class TextCells extends FixedCells {
  private long: (readonly [at: number, bytes: Uint8Array])[] = [];

  constructor() {
    super(16);
  }

  override reset(): void {
    super.reset();
    this.long = [];
  }

  /** The bytes must stay as they are until `flush`. */
  set(at: number, value: Uint8Array): void {
    const { length } = value;
    const { words, bytes } = this;
    words[4 * at + 1] = 0;
    words[4 * at + 2] = 0;
    words[4 * at + 3] = 0;
    if (length > inlineBytesMax) {
      words[4 * at] = 0;
      this.long.push([at, value]);
      return;
    }
    words[4 * at] = length;
    for (let index = 0; index < length; index += 1) bytes[16 * at + 4 + index] = value[index]!;
  }

  override flush(vector: Vector, places: number): void {
    super.flush(vector, places);
    for (const [at, value] of this.long) binding.vector_assign_string_element_len(vector, at, value);
  }
}

const inlineBytesMax = 12;

/** Lists: where each begins among the items of all, and how many it has. */
export class ListCells extends FixedCells {
  readonly items: Cells;
  private count = 0;

  constructor(items: Cells) {
    super(16);
    this.items = items;
  }

  override reset(): void {
    super.reset();
    this.items.reset();
    this.count = 0;
  }

  /** Begins a list at a place; returns the place of its first item. */
  begin(at: number, length: number): number {
    const first = this.count;
    this.count += length;
    this.items.reserve(this.count);
    this.words.set([first, 0, length, 0], 4 * at);
    return first;
  }

  override setNull(at: number): void {
    this.begin(at, 0);
    super.setNull(at);
  }

  override flush(vector: Vector, places: number): void {
    super.flush(vector, places);
    binding.list_vector_reserve(vector, this.count);
    binding.list_vector_set_size(vector, this.count);
    this.items.flush(binding.list_vector_get_child(vector), this.count);
  }
}

/** Lists of one size. */
export class ArrayCells extends Cells {
  readonly items: Cells;
  readonly size: number;

  constructor(items: Cells, size: number) {
    super();
    this.items = items;
    this.size = size;
    this.items.reserve(placesAtFirst * size);
  }

  override reset(): void {
    super.reset();
    this.items.reset();
  }

  override reserve(places: number): void {
    super.reserve(places);
    this.items.reserve(places * this.size);
  }

  override setNull(at: number): void {
    super.setNull(at);
    for (let item = at * this.size; item < (at + 1) * this.size; item += 1) this.items.setNull(item);
  }

  override flush(vector: Vector, places: number): void {
    super.flush(vector, places);
    this.items.flush(binding.array_vector_get_child(vector), places * this.size);
  }
}

export class StructCells extends Cells {
  readonly fields: readonly Cells[];

  constructor(fields: readonly Cells[]) {
    super();
    this.fields = fields;
  }

  override reset(): void {
    super.reset();
    for (const field of this.fields) field.reset();
  }

  override reserve(places: number): void {
    super.reserve(places);
    for (const field of this.fields) field.reserve(places);
  }

  override setNull(at: number): void {
    super.setNull(at);
    for (const field of this.fields) field.setNull(at);
  }

  override flush(vector: Vector, places: number): void {
    super.flush(vector, places);
    for (const [index, field] of this.fields.entries()) field.flush(binding.struct_vector_get_child(vector, index), places);
  }
}

/** Cells for the values of a column whose type `sqlTypeOf` takes. */
export function cellsFor(field: ArrowField): Cells {
  const { type, children } = field;
  switch (type.kind) {
    case "list":
    case "large_list":
    case "list_view":
    case "large_list_view":
      return new ListCells(cellsFor(children[0]!));
    case "fixed_size_list":
      return isArray(field) ? new ArrayCells(cellsFor(children[0]!), type.size) : new ListCells(cellsFor(children[0]!));
    case "map":
      return new ListCells(new StructCells(children[0]!.children.map(cellsFor)));
    case "struct":
      return new StructCells(children.map(cellsFor));
    default: {
      const width = widthIn(field);
      return width === null ? new TextCells() : new FixedCells(width);
    }
  }
}

/** Bytes of a value in a vector; null for texts and bytes. */
function widthIn(field: ArrowField): number | null {
  const { type } = field;
  switch (type.kind) {
    case "bool":
      return 1;
    case "int":
      return type.bits / 8;
    case "float":
      return type.precision === 2 ? 8 : 4;
    case "decimal": {
      const { precision } = decimalOf(field);
      return precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
    }
    case "date":
      return 4;
    case "time":
    case "timestamp":
      return 8;
    case "duration":
    case "interval":
      return 16;
    case "fixed_size_binary":
      return isUuid(field) ? 16 : null;
    default:
      return null;
  }
}

function viewsOf({ buffer, byteOffset, byteLength }: Uint8Array): [DataView, Int32Array] {
  return [new DataView(buffer, byteOffset, byteLength), new Int32Array(buffer, byteOffset, byteLength >> 2)];
}

type Copy = (vector: Vector, at: number, source: ArrayBuffer, from: number, bytes: number) => void;

function copyAll(copy: Copy, vector: Vector, { buffer, byteOffset }: Uint8Array, bytes: number): void {
  if (bytes > 0) copy(vector, 0, buffer as ArrayBuffer, byteOffset, bytes);
}
