import type { FixedWidth } from "../fixed-width.ts";
import type { Preview } from "../preview.ts";
import { fromText } from "./conversion.ts";
import type { PluginParts } from "./parts.ts";
import { comment, indent, list, literal } from "./python.ts";
import { textSource } from "./source.ts";

/** A plugin that cuts each line at fixed places and converts the pieces. */
export function fixedWidthPlugin(table: FixedWidth, preview: Preview): PluginParts {
  const { imports, text, helper } = textSource(preview);
  const nulls = [...new Set(["", ...table.columns.flatMap(({ nullSpellings }) => nullSpellings)])];
  const columns = table.columns.map(({ name, type }) => ({ name, expression: fromText(type, `text(rows, ${literal(name)})`) }));
  const usesPandas = columns.some(({ expression }) => expression?.includes("pd.") === true);
  return {
    imports: [
      ...imports,
      "import itertools",
      ...(usesPandas ? ["import pandas as pd"] : []),
      "import pyarrow as pa",
      "import pyarrow.compute as pc",
    ],
    constants: [
      "FIELDS = {  # name: first letter, end",
      ...table.columns.map(({ name, notes }, index) => {
        const [from, to] = table.fields[index]!;
        // The last field may be longer in other lines.
        const end = index === table.fields.length - 1 ? "None" : String(to);
        return `    ${literal(name)}: (${from}, ${end}),${notes.length === 0 ? "" : `  # ${comment(notes.join("; "))}`}`;
      }),
      "}",
      `NULLS = ${list(nulls)}  # what stands for no value`,
    ],
    helpers: [
      ...(helper.length > 0 ? [helper] : []),
      [
        "def text(rows, name):",
        "    first, end = FIELDS[name]",
        "    values = pa.array([line[first:end].strip() for line in rows], pa.string())",
        "    return pc.if_else(pc.is_in(values, value_set=pa.array(NULLS)), None, values)",
        "",
        "",
        "def table(rows):",
        "    return pa.table(",
        ...indent(
          [
            "{",
            ...indent(
              columns.map(({ name, expression }) => `${literal(name)}: ${expression ?? `text(rows, ${literal(name)})`},`),
              4,
            ),
            "}",
          ],
          8,
        ),
        "    )",
      ],
    ],
    body: [
      `with ${text} as file:`,
      ...(table.header ? ["    next(file)  # the header"] : []),
      '    lines = (line.rstrip("\\r\\n") for line in file)',
      "    rows = (line for line in lines if line.strip())",
      "    yield table([])",
      "    while part := list(itertools.islice(rows, 50_000)):",
      "        yield table(part)",
    ],
  };
}
