import type { ColumnarContent } from "../columnar.ts";
import type { Preview } from "../preview.ts";
import type { Workbook } from "../workbook.ts";
import type { XmlContent } from "../xml-text.ts";
import type { PluginParts } from "./parts.ts";
import { list, literal } from "./python.ts";
import { sourceOf, textSource } from "./source.ts";

/** Lines as they are, numbered: where to begin with a form that nobody knows. */
export function linesPlugin(preview: Preview): PluginParts {
  const { imports, text, helper } = textSource(preview);
  return {
    imports: ["import itertools", ...imports, "import pyarrow as pa"],
    constants: ['SCHEMA = pa.schema([("line", pa.int64()), ("text", pa.string())])'],
    helpers: helper.length > 0 ? [helper] : [],
    body: [
      `with ${text} as file:`,
      '    rows = ({"line": number, "text": line.rstrip("\\r\\n")} for number, line in enumerate(file, 1))',
      "    yield SCHEMA.empty_table()",
      "    while part := list(itertools.islice(rows, 50_000)):",
      "        yield pa.Table.from_pylist(part, schema=SCHEMA)",
    ],
  };
}

/** The elements that come again and again, with their attributes and children as text. */
export function xmlPlugin({ row, columns }: XmlContent, preview: Preview): PluginParts {
  const source = sourceOf(preview);
  return {
    imports: ["import itertools", "import xml.etree.ElementTree as ET", ...source.imports, "import pyarrow as pa"],
    constants: [
      `ROW = ${literal(row ?? "")}`,
      `COLUMNS = ${list(columns)}`,
      "SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])",
    ],
    helpers: [
      [
        "def rows_of(file):",
        "    for _, element in ET.iterparse(file):",
        '        if element.tag.split("}")[-1] == ROW:',
        "            yield element",
        "            element.clear()",
        "",
        "",
        "def cells(element):",
        "    found = dict(element.attrib)",
        "    for child in element:",
        '        text = ET.tostring(child, encoding="unicode").strip() if len(child) or child.attrib else child.text',
        '        name = child.tag.split("}")[-1]',
        '        found[name] = text if found.get(name) is None else f"{found[name]}\\n{text}"',
        "    return found",
      ],
    ],
    body: [
      "wrong = []",
      "",
      "def known(row):",
      "    if row.keys() <= set(COLUMNS):",
      "        return True",
      '    wrong.append({"_cf_reason": "unknown: " + ", ".join(sorted(row.keys() - set(COLUMNS))), "text": str(row)})',
      "    return False",
      "",
      `rows = filter(known, map(cells, rows_of(${source.bytes})))`,
      "yield SCHEMA.empty_table()",
      "while part := list(itertools.islice(rows, 10_000)):",
      "    yield pa.Table.from_pylist(part, schema=SCHEMA)",
      "if wrong:",
      '    yield "_quarantine", wrong',
    ],
  };
}

/** The first sheet that is not hidden, all cells as text. */
export function excelPlugin({ sheets }: Workbook): PluginParts {
  const sheet = (sheets.find(({ isHidden }) => !isHidden) ?? sheets[0])?.name ?? "";
  return {
    dependencies: ["openpyxl", "pandas", "pyarrow"],
    imports: ["import pandas as pd"],
    constants: [`SHEET = ${literal(sheet)}  # of ${list(sheets.map(({ name }) => name))}`],
    helpers: [],
    body: [
      "# All cells as text, the first row being the header: name the types that you know.",
      'yield pd.read_excel(file_path, sheet_name=SHEET, dtype="string", keep_default_na=False, na_values=[""])',
    ],
  };
}

/** They say their types themselves. */
export function columnarPlugin({ kind }: ColumnarContent): PluginParts {
  if (kind === "parquet") {
    return {
      imports: ["import pyarrow.parquet as pq"],
      constants: [],
      helpers: [],
      body: ["file = pq.ParquetFile(file_path)", "yield file.schema_arrow.empty_table()", "yield from file.iter_batches()"],
    };
  }
  return {
    imports: ["import pyarrow as pa"],
    constants: [],
    helpers: [],
    body: [
      "with pa.ipc.open_file(file_path) as file:",
      "    yield file.schema.empty_table()",
      "    for number in range(file.num_record_batches):",
      "        yield file.get_batch(number)",
    ],
  };
}
