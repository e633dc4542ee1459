# /// script
# requires-python = ">=3.10"
# dependencies = ["openpyxl>=3.1,<4", "xlrd>=2.0,<3", "pyarrow>=17"]
# ///
"""Excel workbooks: one output for each sheet, one row for each of its rows.

In: `.xlsx` and `.xlsm` (read row by row, so memory does not grow with them) and the older `.xls` (read as a whole); told apart by their bytes.

Out, an output named after each sheet ("Orders 2024" is `Orders_2024`): sheet_row int64, the row's number, and a column for each of the header,
which is the sheet's first row with a value (an empty name becomes column_3, a second `id` id_2). Types by elimination over the whole sheet: bool,
int64, double, date32, timestamp[us], time64[us], duration[us] or text. A column of several kinds is text, numbers in their shortest form. Of
formulas the value that Excel saved. Hidden sheets, rows and columns count like others; charts are none. Empty rows are no records.

Set aside, with sheet, row, column and reason: rows with an error in a cell (#DIV/0!, #N/A, …) or with a formula whose value was not saved, because a
program other than Excel wrote it. A workbook that is damaged, encrypted or of another kind (`.xlsb`, `.ods`) fails with the reason.

Configure it here.
"""

import re
import zipfile
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import openpyxl
import pyarrow as pa
import xlrd
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

MANIFEST = {"pattern": ["*.xlsx", "*.xlsm", "*.xls"], "topic": "excel"}

SHEETS = None  # like ["Orders"]; None: all
SKIP_ROWS = 0  # before the header
KEPT_MAX = 10_000  # characters of a row that are kept in quarantine
ROWS = 10_000

REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_column", "_cf_position", "text")])
TYPES = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "time": pa.time64("us"),
    "duration": pa.duration("us"),
}


class Wrong(NamedTuple):
    """A cell without a value that could be taken."""

    why: str


class Handler:
    def execute(self, file_path: str):
        outputs: set[str] = set()
        for name, rows in workbook(file_path):
            if SHEETS is not None and name not in SHEETS:
                continue
            header, types = columns_of(rows())
            if header is None:
                continue
            output = unique([re.sub(r"[^A-Za-z0-9_-]", "_", name).strip("-")[:80] or "sheet"], outputs)[0]
            outputs.add(output)
            yield from sheet(name, output, rows(), header, types)


def sheet(name: str, output: str, rows, header: list[str], types: list[str]):
    schema = pa.schema(
        [("sheet_row", pa.int64()), *((column, TYPES.get(kind, pa.string())) for column, kind in zip(header, types, strict=True))]
    )
    good: list[list] = []
    bad: list[dict] = []

    def tables():
        columns = zip(*good, strict=True) if good else [()] * len(schema)
        yield output, pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
        if bad:
            yield f"_quarantine.{output}", pa.Table.from_pylist(bad, REJECTED)

    for number, cells in records(rows):
        wrong = next((at for at, cell in enumerate(cells) if isinstance(cell, Wrong)), None)
        if wrong is None:
            cells = cells + [None] * (len(header) - len(cells))
            good.append([number, *(fit(cell, kind) for cell, kind in zip(cells, types, strict=True))])
        else:
            text = "\t".join("" if cell is None else cell.why if isinstance(cell, Wrong) else text_of(cell) for cell in cells)[:KEPT_MAX]
            reason = f"cell {get_column_letter(wrong + 1)}{number}: {cells[wrong].why}"
            bad.append({"_cf_reason": reason, "_cf_column": header[wrong], "_cf_position": f"sheet {name}, row {number}", "text": text})
        if len(good) + len(bad) >= ROWS:
            yield from tables()
            good, bad = [], []
    yield from tables()


def records(rows):
    """Row number and cells of the rows after the header that have a value."""
    header = True
    for number, cells in rows:
        if number <= SKIP_ROWS or all(cell is None or cell == "" for cell in cells):
            continue
        if not header:
            yield number, cells
        header = False


def columns_of(rows) -> tuple[list[str] | None, list[str]]:
    """Names, or None for a sheet without a value, and kinds."""
    header: list | None = None
    kinds: list[set[str]] = []
    for number, cells in rows:
        if number <= SKIP_ROWS or all(cell is None or cell == "" for cell in cells):
            continue
        width = max(at for at, cell in enumerate(cells, 1) if cell is not None and cell != "")
        kinds += [set() for _ in range(width - len(kinds))]
        if header is None:
            header = cells[:width]
            continue
        for seen, cell in zip(kinds, cells, strict=False):
            if cell is not None and not isinstance(cell, Wrong):
                seen.add(kind_of(cell))
    if header is None:
        return None, []
    names = ["" if cell is None or isinstance(cell, Wrong) else text_of(cell) for cell in header] + [""] * (len(kinds) - len(header))
    return unique(names, {"sheet_row"}), [together(seen) for seen in kinds]


def together(kinds: set[str]) -> str:
    for wider, narrower in (("double", {"int"}), ("datetime", {"date"})):
        if wider in kinds and kinds <= {wider, *narrower}:
            return wider
    return next(iter(kinds)) if len(kinds) == 1 else "text"


def kind_of(cell) -> str:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        # Excel's numbers are doubles, which hold whole numbers up to here.
        return "int" if cell == int(cell) and abs(cell) <= 2**53 else "double"
    if isinstance(cell, datetime):
        return "date" if cell.time() == time(0) else "datetime"
    kinds = {bool: "bool", date: "date", time: "time", timedelta: "duration"}
    return kinds.get(type(cell), "text")


def fit(cell, kind: str):
    if cell is None:
        return None
    if kind == "text":
        return text_of(cell)
    return {"int": int, "double": float}.get(kind, lambda value: value)(cell)


def text_of(cell) -> str:
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell == int(cell) and abs(cell) <= 2**53:
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, (date, time)) else str(cell)


def unique(names: list[str], taken: set[str]) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(names, 1):
        again = name = name.strip() or f"column_{number}"
        same = 1
        while again.lower() in {other.lower() for other in (*found, *taken)}:
            same += 1
            again = f"{name}_{same}"
        found.append(again)
    return found


def workbook(path: str):
    """Name of each sheet, and a function that gives its rows: their numbers and cells."""
    with open(path, "rb") as file:
        beginning = file.read(8)
    if beginning.startswith(b"PK"):
        return modern(path)
    if beginning.startswith((b"\xd0\xcf\x11\xe0", b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")):
        return old(path)
    raise ValueError(f"the file is no workbook: it {'is empty' if not beginning else f'begins with {beginning!r}'}")


def modern(path: str):
    try:
        # A file and not its path: openpyxl would go by the name's ending.
        values = openpyxl.load_workbook(open(path, "rb"), read_only=True, data_only=True, keep_links=False)
        # What is a formula is only told without values: it is read beside them, where there are any.
        formulas = openpyxl.load_workbook(open(path, "rb"), read_only=True, keep_links=False) if has_formulas(path) else None
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, SyntaxError, InvalidFileException) as error:
        raise ValueError(f"the workbook can't be read: {error}; it is damaged, or no .xlsx (save .xlsb and .ods as .xlsx)") from error
    for sheet in values.worksheets:
        yield sheet.title, lambda sheet=sheet: modern_rows(sheet, formulas and formulas[sheet.title])


def modern_rows(sheet, formulas):
    sheet.reset_dimensions()  # Some programs write them wrongly, and rows would be missed.
    written = formulas.iter_rows() if formulas is not None and not formulas.reset_dimensions() else None
    for number, cells in enumerate(sheet.iter_rows(), 1):
        row = [Wrong(f"the error {cell.value}") if cell.data_type == "e" else cell.value for cell in cells]
        for at, cell in enumerate(next(written) if written else ()):
            if cell.data_type == "f" and row[at] is None:
                row[at] = Wrong(f"the value of the formula {str(cell.value)[:100]} was not saved")
        yield number, row


def has_formulas(path: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if re.match(r"/?xl/worksheets/[^/]*\.xml", name):
                with archive.open(name) as part:
                    last = b""
                    while block := part.read(1 << 20):
                        if re.search(rb"<(?:\w+:)?f[ >/]", last + block):
                            return True
                        last = block[-16:]
    return False


def old(path: str):
    try:
        book = xlrd.open_workbook(path)
        sheets = book.sheets()
    except Exception as error:  # xlrd raises whatever its walk through a damaged file meets.
        raise ValueError(
            f"the workbook can't be read: {str(error) or type(error).__name__}; it is damaged, encrypted or no .xls"
        ) from error
    for sheet in sheets:
        yield sheet.name, lambda sheet=sheet: ((at + 1, [old_cell(cell, book) for cell in sheet.row(at)]) for at in range(sheet.nrows))


def old_cell(cell, book):
    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return Wrong(f"the error {xlrd.error_text_from_code.get(cell.value, cell.value)}")
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return bool(cell.value)
    if cell.ctype != xlrd.XL_CELL_DATE:
        return cell.value
    try:
        at = xlrd.xldate_as_datetime(cell.value, book.datemode)
    except (ValueError, OverflowError) as error:
        return Wrong(f"the date {cell.value}, which can't be: {error}")
    return at.time() if cell.value < 1 else at
