"""Fixed-width files: each line cut at columns, with types; lines of several kinds go to an output each.

In: text files whose lines are laid out by RECORDS, which here are those of ACH files (NACHA, US bank transfers). Write in your own: for a file
with one kind of line, `RECORDS = {"": Record("rows", [...])}`.

Out: each Record's output, with line int64 and its fields: text without the blanks around it (null where nothing is left), int64, decimal128(38,
digits) from digits with an implied point ("0000012345" is 123.45 as `money`) or with a written one, date32, time32[s].

Set aside, from the output of the line's kind: lines shorter or longer than the layout, values that are not of their type; and from the first
output: lines of no kind, lines that are not in ENCODING or longer than LINE_BYTES_MAX. With line, column and reason. Empty lines and lines of
FILLER are no records.

Configure it here. It needs nothing beyond the standard environment.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

MANIFEST = {"pattern": ["*.ach", "*.fwf"], "topic": "ach_entries"}


@dataclass(frozen=True)
class Field:
    """`start` counts from 1, as documents of layouts do. Kinds: text, int, decimal:N, implied:N (N digits after the point), date:FORMAT, time:FORMAT."""

    name: str
    start: int
    length: int
    kind: str = "text"


@dataclass(frozen=True)
class Record:
    output: str
    fields: list[Field]


# By what their lines begin with.
RECORDS = {
    "6": Record(
        "ach_entries",
        [
            Field("transaction_code", 2, 2),
            Field("receiving_bank", 4, 9),
            Field("account_number", 13, 17),
            Field("amount", 30, 10, "implied:2"),
            Field("individual_id", 40, 15),
            Field("individual_name", 55, 22),
            Field("discretionary_data", 77, 2),
            Field("addenda_indicator", 79, 1, "int"),
            Field("trace_number", 80, 15),
        ],
    ),
    "7": Record(
        "ach_addenda",
        [
            Field("addenda_type", 2, 2),
            Field("payment_information", 4, 80),
            Field("addenda_sequence", 84, 4),
            Field("entry_sequence", 88, 7),
        ],
    ),
    "5": Record(
        "ach_batches",
        [
            Field("service_class", 2, 3),
            Field("company_name", 5, 16),
            Field("company_data", 21, 20),
            Field("company_id", 41, 10),
            Field("entry_class", 51, 3),
            Field("entry_description", 54, 10),
            Field("descriptive_date", 64, 6),
            Field("effective_date", 70, 6, "date:%y%m%d"),
            Field("settlement_date", 76, 3),
            Field("originator_status", 79, 1),
            Field("originating_bank", 80, 8),
            Field("batch_number", 88, 7, "int"),
        ],
    ),
    "8": Record(
        "ach_batch_totals",
        [
            Field("service_class", 2, 3),
            Field("entries", 5, 6, "int"),
            Field("entry_hash", 11, 10, "int"),
            Field("debits", 21, 12, "implied:2"),
            Field("credits", 33, 12, "implied:2"),
            Field("company_id", 45, 10),
            Field("authentication_code", 55, 19),
            Field("reserved", 74, 6),
            Field("originating_bank", 80, 8),
            Field("batch_number", 88, 7, "int"),
        ],
    ),
    "1": Record(
        "ach_files",
        [
            Field("priority", 2, 2),
            Field("destination", 4, 10),
            Field("origin", 14, 10),
            Field("created_date", 24, 6, "date:%y%m%d"),
            Field("created_time", 30, 4, "time:%H%M"),
            Field("id_modifier", 34, 1),
            Field("record_size", 35, 3, "int"),
            Field("blocking_factor", 38, 2, "int"),
            Field("format_code", 40, 1),
            Field("destination_name", 41, 23),
            Field("origin_name", 64, 23),
            Field("reference", 87, 8),
        ],
    ),
    "9": Record(
        "ach_file_totals",
        [
            Field("batches", 2, 6, "int"),
            Field("blocks", 8, 6, "int"),
            Field("entries", 14, 8, "int"),
            Field("entry_hash", 22, 10, "int"),
            Field("debits", 32, 12, "implied:2"),
            Field("credits", 44, 12, "implied:2"),
            Field("reserved", 56, 39),
        ],
    ),
}
RECORD_LENGTH = (
    94  # a line of exactly several times this many characters is that many records without line ends; None: lines end each record
)
FILLER = re.compile(r"9{94}")  # lines that fill up a block; None: there are none
SHORT_LINES = True  # editors cut off blanks at the end of lines: what is missing there is blank
ENCODING = "utf-8"
LINE_BYTES_MAX = 1 << 20
KEPT_MAX = 10_000  # characters of a line that are kept in quarantine
ROWS = 10_000

REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_column", "_cf_position", "text")])


class Unreadable(Exception):
    """Why a line is set aside, and by which column."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.column = column


class Handler:
    def execute(self, file_path: str):
        kept = Kept()
        with open(file_path, "rb") as file:
            for number, offset, line, too_long in lines_of(file):
                text = line.decode(ENCODING, "backslashreplace")
                if not text.strip() or (FILLER is not None and FILLER.fullmatch(text.strip())):
                    continue
                record = next((record for begins, record in RECORDS.items() if text.startswith(begins)), None)
                try:
                    if too_long:
                        raise Unreadable(f"the line is longer than {LINE_BYTES_MAX} bytes")
                    text = line.decode(ENCODING)
                    if record is None:
                        raise Unreadable(f"the line begins with {text[:1]!r}, and no kind of record does")
                    kept.good[record.output].append({"line": number, **cut(text, record.fields)})
                except (Unreadable, UnicodeDecodeError) as error:
                    output = (record or next(iter(RECORDS.values()))).output
                    place = {"_cf_column": getattr(error, "column", None), "_cf_position": f"line {number}, byte {offset}"}
                    kept.bad[output].append({"_cf_reason": str(error), **place, "text": text[:KEPT_MAX]})
                if kept.rows() >= ROWS:
                    yield from kept.tables()
        yield from kept.tables()


class Kept:
    """Rows until there are enough for a table."""

    def __init__(self) -> None:
        self.schemas = {
            record.output: pa.schema([("line", pa.int64()), *((field.name, type_of(field.kind)) for field in record.fields)])
            for record in RECORDS.values()
        }
        self._empty()

    def _empty(self) -> None:
        self.good: dict[str, list[dict]] = {output: [] for output in self.schemas}
        self.bad: dict[str, list[dict]] = {output: [] for output in self.schemas}

    def rows(self) -> int:
        return sum(map(len, self.good.values())) + sum(map(len, self.bad.values()))

    def tables(self):
        for output, schema in self.schemas.items():
            # Also without a row, because what is set aside belongs to an output.
            yield output, pa.Table.from_pylist(self.good[output], schema)
            if self.bad[output]:
                yield f"_quarantine.{output}", pa.Table.from_pylist(self.bad[output], REJECTED)
        self._empty()


def lines_of(file):
    """Number of the line, byte offset and bytes of each record; of a line that is too long only its beginning, and True."""
    number = offset = 0
    while line := file.readline(LINE_BYTES_MAX):
        number += 1
        length, last = len(line), line
        while not last.endswith(b"\n") and (last := file.readline(LINE_BYTES_MAX)):
            length += len(last)
        text = line.rstrip(b"\r\n")
        width = RECORD_LENGTH if RECORD_LENGTH and length == len(line) and len(text) % RECORD_LENGTH == 0 else None
        for at in range(0, len(text), width or len(text) or 1):
            yield number, offset + at, text[at : at + width] if width else text, length > len(line)
        offset += length


def cut(text: str, fields: list[Field]) -> dict:
    width = max(field.start + field.length - 1 for field in fields)
    if len(text.rstrip()) > width or (len(text) < width and not SHORT_LINES):
        raise Unreadable(f"the line has {len(text)} characters, the layout {width}")
    return {field.name: value_of(field, text[field.start - 1 : field.start + field.length - 1].strip()) for field in fields}


def value_of(field: Field, text: str):
    kind, _, detail = field.kind.partition(":")
    if text == "":
        return None
    if kind == "text":
        return text
    try:
        if kind == "int" and re.fullmatch(r"[+-]?\d{1,18}", text):
            return int(text)
        if kind == "implied" and re.fullmatch(r"[+-]?\d{1,38}", text):
            return Decimal(text).scaleb(-int(detail))
        if kind == "decimal" and (found := re.fullmatch(r"[+-]?\d*\.?(\d*?)0*", text)) and len(found[1]) <= int(detail) and len(text) < 39:
            return Decimal(text)
        # strptime alone takes "24129" for a %y%m%d.
        if kind in ("date", "time") and (at := datetime.strptime(text, detail)).strftime(detail) == text:
            return at.date() if kind == "date" else at.time()
    except (ValueError, ArithmeticError):
        pass  # Said below.
    raise Unreadable(f"{text[:60]!r} in columns {field.start} to {field.start + field.length - 1} is not {field.kind}", field.name)


def type_of(kind: str) -> pa.DataType:
    name, _, detail = kind.partition(":")
    plain = {"text": pa.string(), "int": pa.int64(), "date": pa.date32(), "time": pa.time32("s")}
    return plain.get(name) or pa.decimal128(38, int(detail))
