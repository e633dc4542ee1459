import type { ArrowField } from "./type.ts";

/** The buffers of a column itself, without its children's. */
export interface ColumnBuffers {
  readonly hasValidity: boolean;
  /** Beside the validity, and without the bytes of views. */
  readonly count: number;
  /** Whether it has as many buffers more as the batch says for each column of views. */
  readonly isView: boolean;
}

/** Source: Arrow columnar format, "Buffer listing". */
export function buffersOf({ type, dictionary }: Pick<ArrowField, "type" | "dictionary">): ColumnBuffers {
  if (dictionary !== undefined) return { hasValidity: true, count: 1, isView: false };
  switch (type.kind) {
    case "null":
    case "run_end_encoded":
      return { hasValidity: false, count: 0, isView: false };
    case "union":
      return { hasValidity: false, count: type.mode === 0 ? 1 : 2, isView: false };
    case "struct":
    case "fixed_size_list":
      return { hasValidity: true, count: 0, isView: false };
    case "string":
    case "binary":
    case "large_string":
    case "large_binary":
    case "list_view":
    case "large_list_view":
      return { hasValidity: true, count: 2, isView: false };
    case "string_view":
    case "binary_view":
      return { hasValidity: true, count: 1, isView: true };
    default:
      return { hasValidity: true, count: 1, isView: false };
  }
}

/** The columns of values that the dictionaries of a column and of what is in it hold, by the dictionary's id. */
export function dictionariesIn(field: ArrowField): readonly (readonly [id: number, values: ArrowField])[] {
  const { dictionary, ...values } = field;
  const within = field.children.flatMap(dictionariesIn);
  return dictionary === undefined ? within : [...within, [dictionary.id, values]];
}

/** The ids of the dictionaries of a column and of what is in it. */
export function dictionaryIds(field: ArrowField): readonly number[] {
  return dictionariesIn(field).map(([id]) => id);
}
