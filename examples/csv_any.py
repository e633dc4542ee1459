# /// script
# requires-python = ">=3.10"
# dependencies = ["charset-normalizer>=3.3,<4", "pyarrow>=17"]
# ///
"""CSV of any dialect and encoding: one row for each record, with the types that all of its values have.

In: text with a delimiter (comma, semicolon, tab, bar, colon, …), with double, single or no quotes, doubled quotes or backslashes, any line ends, in
UTF-8, UTF-16, UTF-32 or whatever charset-normalizer finds. Each can be fixed below.

Out, `csv`: a column for each field of the header (an empty name becomes column_3, a second `id` id_2). Types by elimination over the whole file: a
column is bool, int64, double, decimal128, date32, timestamp[us] or timestamp[us, UTC] only if every value is, written in one way: true/false, digits
without zeros before them, ISO 8601; a double only if it gives the same digits again. Everything else is text. Values of NULLS are null.

Set aside, with line and reason: records with more or fewer fields than the header, quotes that are not closed (only the line where they begin; the
next ones are read anew), bytes that are not in the encoding, and values that are not of the type that TYPES asks for, with the column. Empty lines
are no records. A file without a header fails. The file is read twice, in parts. Configure it here.
"""

import codecs
import csv
import re
from collections import Counter, deque
from decimal import Decimal
from itertools import count, islice
from typing import NamedTuple

import charset_normalizer
import pyarrow as pa
import pyarrow.compute as pc

MANIFEST = {"pattern": ["*.csv", "*.tsv", "*.tab"], "topic": "csv"}

ENCODING = None  # like "cp1252"; None: found out
DELIMITER = None  # like ";"; None: found out
QUOTE = None  # '"', "'" or "" for none; None: found out
HEADER = True  # False: columns are called column_1, …
SKIP_LINES = 0  # before the header
NULLS = ("",)  # add "NA", "NULL" or what your files have
TYPES: dict[str, pa.DataType] = {}  # like {"price": pa.decimal128(18, 4), "zip": pa.string()}; other columns are found out
FIELD_CHARS_MAX = 1 << 20
LINE_CHARS_MAX = 4 << 20
KEPT_MAX = 10_000  # characters of a record that are kept in quarantine
ROWS = 10_000

SAMPLE_BYTES = 1 << 18
NOT_TEXT, TOO_LONG = "\ue0ff", "\ue0fe"  # marks within lines, of Unicode's private use
DELIMITERS = ",;\t|:^~\x1f\x01"
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_column", "_cf_position", "text")])
CLOCK = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"
# The first of these that all values have; its form, and the type that they must then be cast to without an error.
FORMS = {
    "bool": (r"^(?:true|false|True|False|TRUE|FALSE)$", pa.bool_()),
    "int": (r"^-?(?:0|[1-9]\d{0,18})$", pa.int64()),
    "number": (r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$", pa.float64()),
    "date": (r"^\d{4}-\d\d-\d\d$", pa.date32()),
    "timestamp": (rf"^{CLOCK}$", pa.timestamp("us")),
    "instant": (rf"^{CLOCK}(?:Z|[+-]\d\d:?\d\d)$", pa.timestamp("us", "UTC")),
}


class Handler:
    def execute(self, file_path: str):
        csv.field_size_limit(FIELD_CHARS_MAX)
        form = dialect_of(file_path)
        types = Elimination(form.names)
        for good, _ in batches(file_path, form):
            types.see(good)
        schema = types.schema()
        yield schema.empty_table()
        for good, bad in batches(file_path, form):
            table, misfits = types.convert(good, schema)
            yield table
            if bad or misfits:
                yield "_quarantine", pa.Table.from_pylist(bad + misfits, REJECTED)


class Dialect(NamedTuple):
    encoding: str
    options: dict
    names: list[str]


def dialect_of(path: str) -> Dialect:
    with open(path, "rb") as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise ValueError("the file is empty: it has no header")
    encoding = ENCODING or encoding_of(sample, path)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    lines = text.splitlines(keepends=True)[SKIP_LINES : -1 if len(sample) == SAMPLE_BYTES else None]
    single = text.count('"') < 2 and re.search(r"(?m)(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n])", text)
    quote = QUOTE if QUOTE is not None else "'" if single else '"'
    options = {"quotechar": quote or None, "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE, "strict": True}
    if quote and f"\\{quote}" in text and quote * 2 not in re.sub(rf"(?<=[,;\t|]){quote * 2}(?=[,;\t|\r\n])", "", text):
        options |= {"escapechar": "\\", "doublequote": False}
    form = Dialect(encoding, options | {"delimiter": DELIMITER or delimiter_of(lines, options)}, [])
    line, first, _, wrong = next(records(path, form), (1, [], "", "there is none"))
    if wrong is not None:
        raise ValueError(f"the header, line {line}, can't be read: {wrong}")
    return form._replace(names=unique(first if HEADER else ["" for _ in first]))


def encoding_of(sample: bytes, path: str) -> str:
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-32" if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) else "utf-16"
    for name, high_bytes in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if high_bytes.count(0) > len(sample) // 4:
            return name
    if 0 in sample:
        raise ValueError("the file is no text: it has zero bytes")
    # All of it, as what is beyond ASCII may come late; and one broken line doesn't make it another encoding.
    valid, odd, broken = 0, bytearray(), 0
    with open(path, "rb") as file:
        while line := file.readline(SAMPLE_BYTES):
            try:
                line.decode("utf-8")
                valid += not line.isascii()
            except UnicodeDecodeError:
                broken += 1
                odd += line if len(odd) < SAMPLE_BYTES else b""
    found = None if valid >= broken else charset_normalizer.from_bytes(bytes(odd)).best()
    return "utf-8" if valid >= broken else found.encoding if found else "cp1252"


def delimiter_of(lines: list[str], options: dict) -> str:
    """The one that cuts most lines into the same number of fields, and into more of them."""

    def score(delimiter: str) -> tuple[float, int]:
        counts: Counter = Counter()
        try:
            counts.update(len(fields) for fields in csv.reader(lines, **(options | {"delimiter": delimiter, "strict": False})) if fields)
        except csv.Error:
            return 0, 0
        fields, lines_alike = max(counts.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]), default=(1, 0))
        return (round(lines_alike / max(1, sum(counts.values())), 1), fields) if fields > 1 else (0, 0)

    return max(DELIMITERS, key=score)


def unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(names, 1):
        name = name.strip() or f"column_{number}"
        found.append(next(again for same in count(1) if (again := name if same == 1 else f"{name}_{same}") not in found))
    return found


class Lines:
    """The lines of a file; those that a broken record took too many are given back to be read again."""

    def __init__(self, path: str, encoding: str) -> None:
        # What can't be decoded is kept as \\xhh.
        codecs.register_error("csv_any", lambda error: (NOT_TEXT + repr(error.object[error.start : error.end])[2:-1], error.end))
        self.file = open(path, encoding=encoding, errors="csv_any", newline="")
        self.again: deque = deque()
        self.taken: list[tuple[int, str]] = []
        self.number = 0

    def take(self) -> str:
        """Empty at the end of the file."""
        if self.again:
            self.taken.append(self.again.popleft())
        elif not self.file.closed and (line := (last := self.file.readline(LINE_CHARS_MAX))):
            self.number += 1
            while len(last) == LINE_CHARS_MAX and last[-1] not in "\r\n":
                line, last = line[:KEPT_MAX] + TOO_LONG, self.file.readline(LINE_CHARS_MAX) or "\n"
            self.taken.append((self.number, line))
        else:
            self.file.close()
            return ""
        return self.taken[-1][1]

    def give_back(self) -> None:
        self.again.extendleft(reversed(self.taken[1:]))
        self.taken = self.taken[:1]


def records(path: str, form: Dialect):
    """Line, fields, text and what is wrong of each record."""
    lines = Lines(path, form.encoding)
    for _ in range(SKIP_LINES):
        lines.take()
    reader = csv.reader(iter(lines.take, ""), **form.options)
    while True:
        lines.taken = []
        try:
            fields, wrong = next(reader), None
        except StopIteration:
            return
        except csv.Error as error:
            fields, wrong = [], f"{error}; the next line is read as a record of its own" if len(lines.taken) > 1 else str(error)
            lines.give_back()
            reader = csv.reader(iter(lines.take, ""), **form.options)
        text = "".join(line for _, line in lines.taken)
        if TOO_LONG in text:
            wrong, text = f"a line is longer than {LINE_CHARS_MAX} characters", text.replace(TOO_LONG, "")
        if NOT_TEXT in text:
            wrong, text = wrong or f"there are bytes that are not {form.encoding}", text.replace(NOT_TEXT, "")
        if lines.taken and (fields or wrong):
            yield lines.taken[0][0], fields, text, wrong


def batches(path: str, form: Dialect):
    """Records with as many fields as the header, with their lines; and the others."""
    good: list[tuple[int, list[str]]] = []
    bad: list[dict] = []
    for line, fields, text, wrong in islice(records(path, form), int(HEADER), None):
        if wrong is None and len(fields) == len(form.names):
            good.append((line, fields))
        else:
            why = wrong or f"{len(fields)} fields, the header has {len(form.names)}"
            bad.append({"_cf_reason": why, "_cf_position": f"line {line}", "text": text.rstrip("\r\n")[:KEPT_MAX]})
        if len(good) + len(bad) >= ROWS:
            yield good, bad
            good, bad = [], []
    if good or bad:
        yield good, bad


class Elimination:
    """Which forms all values of each column have had so far."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.forms = {name: list(FORMS) for name in names if name not in TYPES}
        self.seen: set[str] = set()
        self.inexact: set[str] = set()
        self.digits = {name: (0, 0) for name in names}

    def see(self, good: list[tuple[int, list[str]]]) -> None:
        for name, values in zip(self.names, zip(*(fields for _, fields in good), strict=True), strict=False):
            column = pc.drop_null(texts(values))
            if self.forms.get(name) and len(column):
                self.seen.add(name)
                self.forms[name] = [form for form in self.forms[name] if fits(column, *FORMS[form])]
                if "int" in self.forms[name]:
                    self._widen(name, pc.max(pc.utf8_length(column)).as_py(), 0)
                elif "number" in self.forms[name]:
                    self._number(name, column)

    def _number(self, name: str, column: pa.Array) -> None:
        """Doubles must give their digits again; else the column is decimal, with so many digits, or text."""
        long = pc.unique(pc.filter(column, pc.greater(pc.utf8_length(column), 15))).to_pylist()
        self.inexact |= {name} if any(Decimal(repr(float(text))) != Decimal(text) for text in long) else set()
        found = pc.extract_regex(column, r"^-?(?P<whole>\d+)(?:\.(?P<after>\d+))?(?P<exponent>[eE].*)?$")
        whole, after, exponent = (pc.max(pc.utf8_length(pc.struct_field(found, at))).as_py() or 0 for at in range(3))
        # With an exponent no decimal is found: 99 digits are too many.
        self._widen(name, whole, after + (99 if exponent else 0))

    def _widen(self, name: str, *digits: int) -> None:
        self.digits[name] = tuple(map(max, self.digits[name], digits))

    def schema(self) -> pa.Schema:
        return pa.schema([(name, TYPES.get(name) or self._type(name)) for name in self.names])

    def _type(self, name: str) -> pa.DataType:
        form = self.forms[name][0] if self.forms[name] and name in self.seen else None
        whole, after = self.digits[name]
        if form == "number" and name in self.inexact:
            return pa.decimal128(whole + after, after) if whole + after <= 38 else pa.string()
        return FORMS[form][1] if form else pa.string()

    def convert(self, good: list[tuple[int, list[str]]], schema: pa.Schema) -> tuple[pa.Table, list[dict]]:
        """The table, and the rows with a value that is not of the type that TYPES asks for."""
        arrays = [texts(values) for values in (zip(*(fields for _, fields in good), strict=True) if good else [()] * len(schema))]
        misfits: dict[int, tuple[str, str]] = {}
        for field, array in zip(schema, arrays, strict=True):
            if field.name in TYPES and not casts(array, field.type):
                for at, value in enumerate(array.to_pylist()):
                    if not casts(pa.array([value], pa.string()), field.type):
                        misfits.setdefault(at, (field.name, f"{value[:60]!r} is not {field.type}"))
        if misfits:
            keep = pa.array([at for at in range(len(good)) if at not in misfits], pa.int64())
            arrays = [array.take(keep) for array in arrays]
        table = pa.table([pc.cast(array, field.type) for field, array in zip(schema, arrays, strict=True)], schema=schema)
        rejected = []
        for at, (name, why) in sorted(misfits.items()):
            line, fields = good[at]
            rejected.append({"_cf_reason": why, "_cf_column": name, "_cf_position": f"line {line}", "text": "\t".join(fields)[:KEPT_MAX]})
        return table, rejected


def texts(values) -> pa.Array:
    array = pa.array(values, pa.string())
    return pc.if_else(pc.is_in(array, pa.array(NULLS, pa.string())), None, array)


def fits(column: pa.Array, pattern: str, kind: pa.DataType) -> bool:
    return pc.all(pc.match_substring_regex(column, pattern)).as_py() and casts(column, kind)


def casts(column: pa.Array, kind: pa.DataType) -> bool:
    try:
        return pc.cast(column, kind) is not None
    except pa.ArrowException:
        return False
