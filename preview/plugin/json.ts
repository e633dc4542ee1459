import type { JsonColumn, JsonContent } from "../json-text.ts";
import type { Preview } from "../preview.ts";
import { arrowType, fromText } from "./conversion.ts";
import type { PluginParts } from "./parts.ts";
import { comment, literal } from "./python.ts";
import { textSource } from "./source.ts";

/** A plugin that reads objects of JSON, typed, and sets aside what is none or has keys that are not known. */
export function jsonPlugin(content: JsonContent, preview: Preview): PluginParts {
  const { imports, text, helper } = textSource(preview);
  const columns = content.columns.map((column) => ({ ...column, given: givenType(column), expression: expressionOf(column) }));
  const converted = columns.flatMap(({ name, expression }) => (expression === null ? [] : [{ name, expression }]));
  const usesPandas = converted.some(({ expression }) => expression.includes("pd."));
  return {
    imports: [
      "import json",
      ...imports,
      ...(usesPandas ? ["import pandas as pd"] : []),
      "import pyarrow as pa",
      ...(converted.length > 0 ? ["import pyarrow.compute as pc"] : []),
    ],
    constants: [
      "COLUMNS = {",
      ...columns.map(({ name, given, notes, expression }) => {
        const hints = [...(expression === null ? [] : ["converted below"]), ...notes];
        return `    ${literal(name)}: ${given},${hints.length === 0 ? "" : `  # ${comment(hints.join("; "))}`}`;
      }),
      "}",
    ],
    helpers: [...(helper.length > 0 ? [helper] : []), rowsFunction(content), tableFunction(converted)],
    body: [
      "good, wrong = [], []",
      "yield table([])",
      `with ${text} as file:`,
      "    for position, row in rows_of(file):",
      "        if not isinstance(row, dict):",
      '            wrong.append({"_cf_reason": "no JSON object", "_cf_position": position, "text": str(row)})',
      "        elif row.keys() - COLUMNS.keys():",
      '            unknown = ", ".join(sorted(row.keys() - COLUMNS.keys()))',
      '            wrong.append({"_cf_reason": f"unknown keys: {unknown}", "_cf_position": position, "text": json.dumps(row)})',
      "        else:",
      "            good.append(row)",
      "        if len(good) == 10_000:",
      "            yield table(good)",
      "            good = []",
      "yield table(good)",
      "if wrong:",
      '    yield "_quarantine", wrong',
    ],
  };
}

/** How rows are found in the file. */
function rowsFunction({ layout, path }: JsonContent): readonly string[] {
  if (layout === "lines") {
    return [
      "def rows_of(file):",
      "    for number, line in enumerate(file, 1):",
      "        if line.strip():",
      "            try:",
      '                yield f"line {number}", json.loads(line)',
      "            except ValueError:",
      '                yield f"line {number}", line.rstrip()',
    ];
  }
  return [
    "def rows_of(file):",
    '    """The file is held in memory as a whole, because it is one JSON value."""',
    `    value = json.load(file)${path.map((key) => `[${literal(key)}]`).join("")}`,
    "    rows = value if isinstance(value, list) else [value]",
    '    return ((f"row {number}", row) for number, row in enumerate(rows, 1))',
  ];
}

function givenType({ type }: JsonColumn): string {
  if (type.kind === "flag") return "pa.bool_()";
  if (type.kind === "double") return "pa.float64()";
  if (type.kind === "integer") return arrowType(type);
  return "pa.string()";
}

function expressionOf({ name, type }: JsonColumn): string | null {
  if (type.kind === "nested" || type.kind === "mixed" || type.kind === "double" || type.kind === "flag" || type.kind === "integer")
    return null;
  return fromText(type, `made[${literal(name)}].combine_chunks()`);
}

function tableFunction(converted: readonly { readonly name: string; readonly expression: string }[]): readonly string[] {
  return [
    "def value_of(row, name):",
    "    value = row.get(name)",
    "    if value is None or isinstance(value, str) or COLUMNS[name] != pa.string():",
    "        return value",
    "    return json.dumps(value, ensure_ascii=False)",
    "",
    "",
    "def table(rows):",
    "    made = pa.table({name: pa.array([value_of(row, name) for row in rows], type) for name, type in COLUMNS.items()})",
    ...converted.map(
      ({ name, expression }) =>
        `    made = made.set_column(made.schema.get_field_index(${literal(name)}), ${literal(name)}, ${expression})`,
    ),
    "    return made",
  ];
}
