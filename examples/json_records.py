"""JSON and JSON lines: one row for each record, nested as it is.

In: JSON lines (NDJSON), an array of records, records that follow each other, or one record, also one that holds the array (RECORDS_AT). In UTF-8, or
in UTF-16 with a mark. A record is an object; other values become rows with the one column `value`.

Out, `json`: a column for each key that a record has, in the order of their appearance. Types by elimination over the whole file: bool, int64, double
(only if all of them give their digits again), text, lists, structs. What differs from record to record (a number here, text there), does not fit, has
no keys, more than KEYS_MAX or lies deeper than DEPTH_MAX is its JSON text.

Set aside, with line, byte and reason: records that are not JSON (RFC 8259: no NaN, no comments), have a key twice, text that is no Unicode, or are
longer than RECORD_CHARS_MAX. In an array reading goes on after the broken record's end, as far as its brackets tell, elsewhere in the next line that
begins one. A file of which no record can be read fails; an empty one has no rows.

The file is read twice, in parts. Configure it here. It needs nothing beyond the standard environment.
"""

import codecs
import json
import re
from decimal import Decimal

import pyarrow as pa

MANIFEST = {"pattern": ["*.json", "*.jsonl", "*.ndjson"], "topic": "json"}

RECORDS_AT = None  # like "data.items": where in the one object of the file the array of records is; such a file is read as a whole
DEPTH_MAX = 8
KEYS_MAX = 500
RECORD_CHARS_MAX = 64 << 20
KEPT_MAX = 10_000  # characters of a record that are kept in quarantine
ROWS = 10_000

REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_position", "text")])
READ_CHARS = 1 << 20
NESTED_MAX = 200  # beyond DEPTH_MAX, as text
BLANK = re.compile(r"[ \t\r\n]*")
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\],]')
NEXT_LINE = re.compile(r"\n[ \t\r]*(?=[{\[])")


class Handler:
    def execute(self, file_path: str):
        whole = Kind()
        first_wrong = None
        for place, _, record, wrong in records(file_path):
            first_wrong = first_wrong or (wrong and f"{place}: {wrong}")
            if wrong is None:
                whole.see(record, 0)
        if not whole.kinds and first_wrong is not None:
            raise ValueError(f"no record of the file can be read; {first_wrong}")
        if not whole.kinds:
            return
        if len(whole.children) > KEYS_MAX:
            raise ValueError(f"the records have more than {KEYS_MAX} different keys: raise KEYS_MAX, or say with RECORDS_AT where they are")
        schema = pa.schema([(name, child.type()) for name, child in whole.children.items()])
        good: list[dict] = []
        bad: list[dict] = []
        for place, text, record, wrong in records(file_path):
            if wrong is None:
                good.append({name: whole.children[name].fit(value) for name, value in record.items()})
            else:
                kept = text[:KEPT_MAX].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                bad.append({"_cf_reason": wrong, "_cf_position": place, "text": kept})
            if len(good) + len(bad) >= ROWS:
                yield from tables(good, bad, schema)
                good, bad = [], []
        yield from tables(good, bad, schema)


def tables(good: list[dict], bad: list[dict], schema: pa.Schema):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(good, schema)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


class Kind:
    """What the values of a column, of a list or of a key have been so far."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.children: dict[str, Kind] = {}
        self.items: Kind | None = None

    def see(self, value, depth: int) -> None:
        if value is None:
            return
        kind = kind_of(value)
        kind = "other" if kind in ("struct", "list") and depth >= DEPTH_MAX else kind
        self.kinds.add(kind)
        if kind == "struct" and len(self.children) <= KEYS_MAX:
            for name, child in value.items():
                self.children.setdefault(name, Kind()).see(child, depth + 1)
        elif kind == "list":
            self.items = self.items or Kind()
            for item in value:
                self.items.see(item, depth + 1)

    def type(self) -> pa.DataType:
        kinds = self.kinds - {"short"} or self.kinds
        if "short" in self.kinds and not kinds <= {"short", "int", "double"}:
            kinds = {"other"}
        # Of one kind all values are taken as they are, of several their JSON.
        self.plain = len(kinds) < 2 and "other" not in kinds
        if kinds == {"list"}:
            return pa.list_(self.items.type())
        if kinds == {"struct"} and 0 < len(self.children) <= KEYS_MAX:
            return pa.struct([(name, child.type()) for name, child in self.children.items()])
        self.plain = self.plain and kinds != {"struct"}
        types = {"bool": pa.bool_(), "int": pa.int64(), "short": pa.int64(), "double": pa.float64()}
        return types.get(next(iter(kinds), ""), pa.string()) if self.plain else pa.string()

    def fit(self, value):
        if value is None or not self.plain:
            return None if value is None else text_of(value)
        if isinstance(value, dict):
            return {name: self.children[name].fit(child) for name, child in value.items()}
        if isinstance(value, list):
            return [self.items.fit(item) for item in value]
        return float(value) if "double" in self.kinds else value


def kind_of(value) -> str:
    if type(value) is int:
        # A double holds the short ones.
        return "short" if abs(value) <= 2**53 else "int" if -(2**63) <= value < 2**63 else "other"
    return {bool: "bool", float: "double", str: "text", dict: "struct", list: "list"}.get(type(value), "other")


def text_of(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {text_of(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def number(text: str) -> float | Decimal:
    """A decimal where a double would not give the same digits again."""
    value = float(text)
    if len(text) < 16 and "e" not in text.lower():
        return value
    try:
        return value if Decimal(repr(value)) == Decimal(text) else Decimal(text)
    except ArithmeticError as error:
        raise ValueError("a number's exponent is beyond all bounds") from error


def unique(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice[:60]!r} comes twice")
    return found


def refuse(name: str):
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_float=number, parse_constant=refuse)


def records(path: str):
    """Place, text, record and what is wrong of each."""
    with open(path, "rb") as file:
        beginning = file.read(4)
    encoding = "utf-16" if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    # Bytes that are no text become halves of surrogates, or the mark of a replacement.
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    with open(path, encoding=encoding, errors=errors, newline="") as file:
        window = Window(file)
        for place, text, value, wrong in within(window) if RECORDS_AT else window.lines() if window.has_lines() else window.values():
            if wrong is None and not text.isascii() and (re.search("[\udc80-\udcff]", text) or ("\ufffd" in text and errors == "replace")):
                wrong = f"there are bytes that are not {encoding}"
            elif wrong is None and ("\\u" in text or text.count("[") + text.count("{") > NESTED_MAX):
                wrong = too_odd(value)
            yield place, text, value if isinstance(value, dict) else {"value": value}, wrong


def too_odd(value) -> str | None:
    """Whether it is nested too deeply to be handled, or has a text that can't be written."""
    level, depth = [value], 0
    while level and depth < NESTED_MAX:
        if any(isinstance(each, str) and re.search("[\ud800-\udfff]", each) for each in level):
            return "a text has half of a surrogate pair"
        within_dicts = [part for each in level if isinstance(each, dict) for part in (*each, *each.values())]
        level, depth = within_dicts + [part for each in level if isinstance(each, list) for part in each], depth + 1
    return f"it is nested deeper than {NESTED_MAX}" if level else None


def within(window: "Window"):
    for place, text, value, wrong in window.values():
        for name in RECORDS_AT.split(".") if wrong is None else ():
            value = value.get(name) if isinstance(value, dict) else None
        if wrong is None and isinstance(value, list):
            yield from ((f"{RECORDS_AT}[{at}]", text if at == 0 else "", record, None) for at, record in enumerate(value))
        else:
            yield place, text, None, wrong or f"there is no array at {RECORDS_AT}"


class Window:
    """The part of a file that is looked at."""

    def __init__(self, file) -> None:
        self.file, self.text, self.at, self.line, self.before, self.ended = file, "", 0, 1, 0, False
        self.fill()

    def fill(self) -> bool:
        """Doubles what is there; False at the end of the file, or where a record is too long."""
        left = len(self.text) - self.at
        more = "" if self.ended or left >= RECORD_CHARS_MAX else self.file.read(max(READ_CHARS, left))
        self.ended = self.ended or (not more and left < RECORD_CHARS_MAX)
        self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def take(self, end: int) -> tuple[str, str]:
        """Place and text up to there."""
        place, taken = f"line {self.line}, byte {self.before}", self.text[self.at : end]
        self.at = end
        self.line += taken.count("\n")
        self.before += len(taken) if taken.isascii() else len(taken.encode("utf-8", "surrogateescape"))
        return place, taken

    def skip_blank(self) -> bool:
        """False at the end of the file."""
        self.take(BLANK.match(self.text, self.at).end())
        while self.at == len(self.text) and self.fill():
            self.take(BLANK.match(self.text, self.at).end())
        return self.at < len(self.text)

    def has_lines(self) -> bool:
        """Whether most of the first lines look like a record each, and at least one is."""
        lines = [line.strip() for line in self.text.splitlines()[:20] if line.strip()]
        alike = [line for line in lines if line[0] + line[-1] in ("{}", "[]")]
        return len(lines) > 1 and len(alike) * 2 > len(lines) and any(decoded(line)[1] is None for line in alike)

    def lines(self):
        while self.skip_blank():
            while (end := self.text.find("\n", self.at)) < 0 and self.fill():
                pass
            place, text = self.take(len(self.text) if end < 0 else end)
            yield place, text, *decoded(text)

    def values(self):
        """Those in the array that the file is, or those that follow each other."""
        array, comma = self.skip_blank() and self.text[self.at] == "[", False
        self.take(self.at + array)
        while self.skip_blank():
            if array and (self.text[self.at] == "]" or (self.text[self.at] == "," and comma)):
                array, comma = self.text[self.at] == ",", False
                self.take(self.at + 1)
                continue
            value, end, wrong = self._value(array)
            comma = True
            yield *self.take(end), value, wrong
        if array:
            yield f"line {self.line}, byte {self.before}", "", None, "the file ends within its array: it may have been cut off"

    def _value(self, array: bool) -> tuple[object, int, str | None]:
        """Value, end and what is wrong."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
                follows = BLANK.match(self.text, end).end()
                # What is not read yet may belong to it, such as more digits.
                if follows == len(self.text) and self.fill():
                    continue
                if array and self.text[follows : follows + 1] not in (",", "]", ""):
                    raise ValueError("neither a comma nor the array's end follows the record")
                return value, end, None
            except (ValueError, RecursionError) as error:
                at = getattr(error, "pos", 0)
                if (at > len(self.text) - 64 or "Unterminated string" in str(error)) and self.fill():
                    continue
                return None, self._end_of_broken(array), words(error)

    def _end_of_broken(self, array: bool) -> int:
        while True:
            if not array and (line := NEXT_LINE.search(self.text, self.at + 1)):
                return line.start() + 1
            depth = 0
            for found in TOKEN.finditer(self.text, self.at) if array else ():
                depth += (found[0] in "{[") - (found[0] in "}]")
                if depth < 0 or (depth == 0 and found[0] == "," and found.start() > self.at):
                    return max(found.start(), self.at + 1)
            if not self.fill():
                return len(self.text)


def words(error: Exception) -> str:
    return str(getattr(error, "msg", error))[:500]


def decoded(text: str) -> tuple[object, str | None]:
    try:
        return DECODER.decode(text), None
    except (ValueError, RecursionError) as error:
        return None, words(error)
