"""EDI X12 interchanges: one row for each transaction set whose envelope holds, and one for each of its segments.

In: files of one or more interchanges of any version and transaction (270, 271, 810, 835, 837, 850, …), with or without line ends; the
separators are those that each ISA has.

Out, `x12_transactions`: transaction int64 (in the file, from 1), byte int64 of its ST, interchange_sender, interchange_receiver (with their
qualifiers, like ZZ:ACME), interchange_time timestamp[us] (of the sender's clock), interchange_control, usage (ISA15), group_code (GS01),
group_sender, group_receiver, group_control, version (GS08), transaction_code (ST01), transaction_control (ST02), segments int32 (ST and SE
with them), repetition_separator, component_separator.
Out, `x12_segments`: transaction int64, segment_number int32 (from 1, ST), segment, elements: a list of text, empty ones null, as they stand.

Set aside, with byte and reason: a transaction whose SE counts other segments or has another control number, that is outside of a group or not
ended; GE and IEA that count other than was read or have another control number; whatever else stands outside of a transaction. ISA, GS, GE and
IEA themselves are no records.

Configure it here. It needs nothing beyond the standard environment. ASC X12.5 and X12.6 (envelopes, syntax) are what it follows.
"""

import re
from datetime import datetime

import pyarrow as pa

MANIFEST = {"pattern": ["*.x12", "*.edi", "*.270", "*.271", "*.835", "*.837"], "topic": "x12_transactions"}

ENCODING = "utf-8"
SEGMENT_BYTES_MAX = 1 << 20
TRANSACTION_SEGMENTS_MAX = 1_000_000  # a transaction is held until its SE is read
KEPT_MAX = 10_000  # characters of a transaction that are kept in quarantine
ROWS = 10_000

ENVELOPE = ("interchange_sender", "interchange_receiver")
TEXTS = ("interchange_control", "usage", "group_code", "group_sender", "group_receiver", "group_control", "version", "transaction_code")
TRANSACTIONS = pa.schema(
    [
        ("transaction", pa.int64()),
        ("byte", pa.int64()),
        *((name, pa.string()) for name in ENVELOPE),
        ("interchange_time", pa.timestamp("us")),
        *((name, pa.string()) for name in (*TEXTS, "transaction_control")),
        ("segments", pa.int32()),
        *((name, pa.string()) for name in ("repetition_separator", "component_separator")),
    ]
)
SEGMENTS = pa.schema(
    [("transaction", pa.int64()), ("segment_number", pa.int32()), ("segment", pa.string()), ("elements", pa.list_(pa.string()))]
)
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_position", "text")])
ISA = re.compile(
    rb"ISA([^A-Za-z0-9\s])(?:[^\x00]{2}\1[^\x00]{10}\1){2}(?:[^\x00]{2}\1[^\x00]{15}\1){2}\d{6}\1\d{4}\1.\1.{5}\1.{9}\1.\1.\1(.)(.)",
    re.DOTALL,
)
ISA_BYTES = 106
LINE_ENDS = b"\r\n"


class Unreadable(Exception):
    """Why something is set aside."""


class Handler:
    def execute(self, file_path: str):
        good: list[dict] = []
        segments: list[dict] = []
        bad: list[dict] = []
        read = 0
        with open(file_path, "rb") as file:
            for byte, transaction, wrong, envelope in Interchanges(file).parts():
                if wrong is None:
                    read += 1
                    good.append({"transaction": read, "byte": byte, **envelope})
                    for number, (name, *elements) in enumerate(transaction, 1):
                        segments.append(
                            {
                                "transaction": read,
                                "segment_number": number,
                                "segment": name,
                                "elements": [value or None for value in elements],
                            }
                        )
                else:
                    text = "\n".join("*".join(parts) for parts in transaction[:1000])[:KEPT_MAX]
                    bad.append({"_cf_reason": wrong, "_cf_position": f"byte {byte}", "text": text})
                if len(good) + len(segments) + len(bad) >= ROWS:
                    yield from tables(good, segments, bad)
                    good, segments, bad = [], [], []
        yield from tables(good, segments, bad)


def tables(good: list[dict], segments: list[dict], bad: list[dict]):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(good, TRANSACTIONS)
    yield "x12_segments", pa.Table.from_pylist(segments, SEGMENTS)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


class Interchanges:
    """Goes through the envelopes: interchange, group, transaction."""

    def __init__(self, file) -> None:
        self.file = file
        self.isa: dict | None = None
        self.group: dict | None = None
        self.groups = self.transactions = 0
        self.open: list[list[str]] = []
        self.open_byte = 0
        self.wrong: str | None = None

    def parts(self):
        """Byte, segments and what is wrong (or None) of each transaction; for a good one also its columns."""
        for byte, parts, marks, wrong in segments_of(self.file):
            name = parts[0]
            if name in ("ISA", "GS", "ST", "GE", "IEA") and not wrong:
                yield from self._unended(f"{name} comes before its SE")
            if wrong or (name not in ("ISA", "GS", "ST", "SE", "GE", "IEA") and not self.open):
                if self.open:
                    self.wrong = self.wrong or wrong
                    self.open.append(parts)
                else:
                    yield byte, [parts], wrong or f"segment {name[:20]} is in no transaction", {}
            else:
                yield from self._take(byte, name, parts, marks)
        yield from self._unended("the file ends before its SE")
        if self.group is not None or self.isa is not None:
            missing = "GE" if self.group is not None else "IEA"
            begun = self.group or self.isa
            yield begun["byte"], [begun["parts"]], f"the file ends before the {missing} of this {begun['parts'][0]}", {}

    def _take(self, byte: int, name: str, parts: list[str], marks: dict):
        if name == "ISA":
            if self.isa is not None:
                yield self.isa["byte"], [self.isa["parts"]], "the next ISA comes before the IEA of this ISA", {}
            self.isa = {"byte": byte, "parts": parts, **marks}
            self.group, self.groups = None, 0
        elif name == "GS":
            if self.isa is None or self.group is not None or len(parts) < 9:
                yield byte, [parts], "GS is in no interchange, within another group or short of elements", {}
            self.group, self.transactions = {"parts": [*parts, *[""] * 9], "byte": byte}, 0
            self.groups += 1
        elif name == "ST":
            self.open, self.open_byte, self.wrong = [parts], byte, None
            self.transactions += 1
        elif name == "GE":
            yield from self._check(byte, parts, self.transactions, "transactions", self.group and self.group["parts"][6])
            self.group = None
        elif name == "IEA":
            if self.group is not None:
                yield self.group["byte"], [self.group["parts"]], "IEA comes before the GE of this GS", {}
            yield from self._check(byte, parts, self.groups, "groups", self.isa and self.isa["parts"][13])
            self.isa = self.group = None
        else:
            self.open.append(parts)
            yield from self._segment(byte, parts)

    def _segment(self, byte: int, parts: list[str]):
        if parts[0] != "SE":
            if len(self.open) > TRANSACTION_SEGMENTS_MAX:
                yield from self._unended(f"it has more than {TRANSACTION_SEGMENTS_MAX} segments")
            return
        transaction, self.open = self.open, []
        if transaction[0][0] != "ST":
            yield byte, transaction, "SE ends no transaction", {}
            return
        counted, control = ([*parts[1:3], "", ""])[:2]
        wrong = self.wrong
        if self.isa is None or self.group is None:
            wrong = wrong or "the transaction is in no group of an interchange"
        elif not counted.isdigit() or int(counted) != len(transaction):
            wrong = wrong or f"SE counts {counted[:20]} segments, {len(transaction)} were read"
        elif control != [*transaction[0], "", ""][2]:
            wrong = wrong or f"SE has control number {control[:20]}, ST has {transaction[0][2][:20] if len(transaction[0]) > 2 else ''}"
        try:
            envelope = {} if wrong else self._envelope(transaction)
        except ValueError as error:
            wrong, envelope = str(error), {}
        yield self.open_byte, transaction, wrong, envelope

    def _envelope(self, transaction: list[list[str]]) -> dict:
        isa, group, st = self.isa["parts"], self.group["parts"], transaction[0]
        named = [isa[13], isa[15], group[1], group[2], group[3], group[6], group[8], st[1]]
        return {
            "interchange_sender": f"{isa[5]}:{isa[6].strip()}",
            "interchange_receiver": f"{isa[7]}:{isa[8].strip()}",
            "interchange_time": datetime.strptime(isa[9] + isa[10], "%y%m%d%H%M"),
            **dict(zip(TEXTS, named, strict=True)),
            "transaction_control": st[2],
            "segments": len(transaction),
            "repetition_separator": None if isa[11].isalnum() else isa[11],
            "component_separator": self.isa["component"],
        }

    def _check(self, byte: int, parts: list[str], read: int, what: str, control: str | None):
        """A trailer's count and control number against what was read."""
        said, said_control = ([*parts[1:3], "", ""])[:2]
        if control is None:
            yield byte, [parts], f"{parts[0]} ends nothing that was begun", {}
        elif not said.strip().isdigit() or int(said) != read:
            yield byte, [parts], f"{parts[0]} counts {said[:20]} {what}, {read} were read", {}
        elif said_control.strip() != control.strip():
            yield byte, [parts], f"{parts[0]} has control number {said_control[:20]}, its header has {control}", {}

    def _unended(self, why: str):
        if self.open:
            transaction, self.open = self.open, []
            yield self.open_byte, transaction, self.wrong or why, {}


def segments_of(file):
    """Byte, elements, separators and what is wrong of each segment. Text before an ISA, or that is none, comes as a segment of its own."""
    rest, offset, marks, ended = b"", 0, None, False
    while not ended or rest:
        if not ended and len(rest) < SEGMENT_BYTES_MAX:
            more = file.read(4 * SEGMENT_BYTES_MAX)
            ended = not more
            rest += more
            continue
        at = 0
        while at < len(rest) and (ended or len(rest) - at > SEGMENT_BYTES_MAX):
            start = at
            while rest[start : start + 1] in (b"\r", b"\n", b" ", b"\t", b"\x1a"):
                start += 1
            isa = ISA.match(rest, start)
            if isa:
                marks = {"element": isa[1], "component": isa[2].decode("latin-1"), "segment": isa[3]}
            at, segment = segment_at(rest, start, marks)
            if segment:
                yield offset + start, *parts_of(segment, marks, at - start)
        rest, offset = rest[at:], offset + at


def segment_at(rest: bytes, start: int, marks: dict | None) -> tuple[int, bytes]:
    """Where the next segment begins, and this one."""
    end = rest.find(marks["segment"] if marks else b"ISA", start + (0 if marks else 1), start + SEGMENT_BYTES_MAX)
    if end < 0:
        end = min(len(rest), start + SEGMENT_BYTES_MAX)
        return end, rest[start:end]
    return (end + 1 if marks else end), rest[start:end]


def parts_of(segment: bytes, marks: dict | None, taken: int) -> tuple[list[str], dict, str | None]:
    text = segment.rstrip(LINE_ENDS) if marks is None or marks["segment"] not in LINE_ENDS else segment
    if marks is None:
        return [text.decode(ENCODING, "backslashreplace")], {}, "the text is in no interchange: no ISA segment stands before it"
    wrong = None if taken > len(segment) else "the segment is not ended, or longer than is taken"
    try:
        parts = text.decode(ENCODING).split(marks["element"].decode(ENCODING))
    except UnicodeDecodeError as error:
        parts, wrong = text.decode(ENCODING, "backslashreplace").split(marks["element"].decode("latin-1")), str(error)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{1,2}", parts[0]):
        wrong = wrong or f"{parts[0][:20]!r} is not the name of a segment"
    return parts, marks, wrong
