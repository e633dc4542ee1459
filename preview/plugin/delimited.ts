import type { InferredColumn, InferredType } from "../column.ts";
import type { Preview } from "../preview.ts";
import type { TextTable } from "../text-table.ts";
import { arrowType, fromText } from "./conversion.ts";
import type { PluginParts } from "./parts.ts";
import { comment, indent, list, literal } from "./python.ts";
import { mend, sourceOf } from "./source.ts";

/** Rows that are longer than this need larger blocks than pyarrow reads by itself. Letters. */
const longRow = 200_000;

/** A plugin that reads delimited text as a stream with pyarrow, typed, and sets rows of another length aside. */
export function delimitedPlugin(table: TextTable, preview: Preview): PluginParts {
  const source = sourceOf(preview);
  const isMixed = preview.text?.encoding.sure === "mixed";
  const comma = table.columns.some(({ type }) => isPlainComma(type)) && !table.columns.some(({ type }) => isPlainPoint(type));
  const converted = table.columns.flatMap((column) => conversionOf(column, comma));
  const opened = isMixed ? `io.BytesIO(mend(${source.isPath ? `open(${source.bytes}, "rb")` : source.bytes}).encode())` : source.bytes;
  const nulls = nullsOf(table);
  const usesPandas = converted.some(({ expression }) => expression.includes("pd."));
  return {
    imports: [
      ...source.imports,
      ...(isMixed ? ["import io"] : []),
      ...(usesPandas ? ["import pandas as pd"] : []),
      "import pyarrow as pa",
      ...(converted.length > 0 ? ["import pyarrow.compute as pc"] : []),
      "from pyarrow import csv",
    ],
    constants: [
      "COLUMNS = {",
      ...table.columns.map((column) =>
        columnLine(
          column,
          converted.some(({ name }) => name === column.name),
        ),
      ),
      "}",
      `NULLS = ${list(nulls.spellings)}  # what stands for no value`,
    ],
    helpers: [...(isMixed ? [mend] : []), ...(converted.length > 0 ? [convertFunction(converted, nulls)] : [])],
    body: [
      "wrong = []",
      "",
      "def set_aside(row):",
      '    reason = f"{row.actual_columns} fields, {row.expected_columns} were expected"',
      '    wrong.append({"_cf_reason": reason, "_cf_position": f"row {row.number}", "text": row.text})',
      '    return "skip"',
      "",
      "reader = csv.open_csv(",
      ...indent(
        [
          `${opened},`,
          `read_options=csv.ReadOptions(${readOptions(table, preview).join(", ")}),`,
          `parse_options=csv.ParseOptions(${parseOptions(table).join(", ")}),`,
          `convert_options=csv.ConvertOptions(${convertOptions(table, comma, nulls.inText).join(", ")}),`,
        ],
        4,
      ),
      ")",
      ...(converted.length === 0
        ? ["yield reader"]
        : ["yield convert(reader.schema.empty_table())", "for batch in reader:", "    yield convert(pa.Table.from_batches([batch]))"]),
      "if wrong:",
      '    yield "_quarantine", wrong',
    ],
  };
}

interface Conversion {
  readonly name: string;
  readonly expression: string;
}

/** What pyarrow's reader can't do by itself is read as text and converted. */
function conversionOf({ name, type }: InferredColumn, comma: boolean): readonly Conversion[] {
  const isOwn =
    (type.kind === "number" && (type.grouped || (type.mark === "comma") !== comma) && (type.grouped || type.mark === "comma")) ||
    (type.kind === "format" && type.format !== "%Y-%m-%d");
  const expression = isOwn ? fromText(type, `text(table, ${literal(name)})`) : null;
  return expression === null ? [] : [{ name, expression }];
}

function isPlainComma(type: InferredType): boolean {
  return type.kind === "number" && type.mark === "comma" && !type.grouped;
}

function isPlainPoint(type: InferredType): boolean {
  return type.kind === "number" && type.mark === "point" && !type.grouped;
}

function columnLine({ name, type, notes }: InferredColumn, isConverted: boolean): string {
  const hint = [
    ...(isConverted ? ["converted below"] : []),
    ...(type.kind === "empty" ? ["no value was there to tell the type"] : []),
    ...notes,
  ];
  const line = `    ${literal(name)}: ${isConverted ? "pa.string()" : arrowType(type)},`;
  return hint.length === 0 ? line : `${line}  # ${comment(hint.join("; "))}`;
}

interface Nulls {
  readonly spellings: readonly string[];
  /** Whether they may stand for no value in columns of text, too. */
  readonly inText: boolean;
}

/** pyarrow has one list for all columns, so a column of text in which NA is a value keeps it only if none of the texts may be null. */
function nullsOf({ columns }: TextTable): Nulls {
  const spellings = [...new Set(["", ...columns.flatMap(({ nullSpellings }) => nullSpellings)])];
  const kept = columns.some(({ mayBeNull }) => mayBeNull.length > 0);
  return { spellings, inText: !kept || spellings.length === 1 };
}

function convertFunction(conversions: readonly Conversion[], { inText }: Nulls): readonly string[] {
  return [
    "def text(table, name):",
    ...(inText
      ? ["    return table[name].combine_chunks()"]
      : ["    values = table[name].combine_chunks()", "    return pc.if_else(pc.is_in(values, value_set=pa.array(NULLS)), None, values)"]),
    "",
    "",
    "def convert(table):",
    '    """What pyarrow does not read by itself."""',
    "    values = {",
    ...conversions.map(({ name, expression }) => `        ${literal(name)}: ${expression},`),
    "    }",
    "    for name, column in values.items():",
    "        table = table.set_column(table.schema.get_field_index(name), name, column)",
    "    return table",
  ];
}

function readOptions(table: TextTable, preview: Preview): readonly string[] {
  const encoding = preview.text?.encoding;
  const python = encoding === undefined || encoding.sure === "mixed" ? "utf-8" : encoding.python;
  const isOwn = !table.header || table.renamed;
  const skip = table.skip + (table.header && table.renamed ? 1 : 0);
  return [
    // pyarrow leaves the byte order mark of UTF-8 out by itself.
    ...(python === "utf-8" || python === "utf-8-sig" ? [] : [`encoding=${literal(python)}`]),
    ...(skip > 0 ? [`skip_rows=${skip}`] : []),
    ...(isOwn ? ["column_names=list(COLUMNS)"] : []),
    ...(table.longestRow > longRow ? [`block_size=${2 ** Math.ceil(Math.log2(table.longestRow * 8))}`] : []),
    "use_threads=False",
  ];
}

function parseOptions(table: TextTable): readonly string[] {
  return [
    `delimiter=${literal(table.delimiter)}`,
    ...(table.quote === null || table.quote === '"' ? [] : [`quote_char=${literal(table.quote)}`]),
    ...(table.quote === null && table.hasStrayQuotes ? ["quote_char=False"] : []),
    ...(table.newlinesInQuotes ? ["newlines_in_values=True"] : []),
    "invalid_row_handler=set_aside",
  ];
}

function convertOptions(table: TextTable, comma: boolean, nullTexts: boolean): readonly string[] {
  const flags = table.columns.flatMap(({ type }) => (type.kind === "boolean" ? [type] : []));
  return [
    "column_types=COLUMNS",
    "null_values=NULLS",
    ...(nullTexts ? ["strings_can_be_null=True"] : []),
    ...(flags.length === 0 ? [] : [`true_values=${list([...new Set(flags.flatMap(({ yes }) => yes))])}`]),
    ...(flags.length === 0 ? [] : [`false_values=${list([...new Set(flags.flatMap(({ no }) => no))])}`]),
    ...(comma ? ['decimal_point=","'] : []),
  ];
}
