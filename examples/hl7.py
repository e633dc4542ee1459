"""HL7 v2 messages: one row for each message, and one for each value in it.

In: files of one or many messages, with or without batch and file envelopes (FHS, BHS, BTS, FTS) and MLLP framing. Segments end with CR, LF or both;
the separators are those that each MSH names.

Out, `hl7_messages`: message int64 (from 1), line and byte of its MSH int64, sending_application, sending_facility, receiving_application,
receiving_facility, message_time timestamp[us, UTC], message_time_text (MSH-7 as it stands), message_code, trigger_event, message_structure,
control_id, processing_id, version_id, segments int32.
Out, `hl7_fields`: message int64, segment_number int32 (in the message, from 1), segment, field, repetition, component, subcomponent int32 (all
from 1), value: the text without escape sequences, of each value that is not empty. `""`, HL7's "delete", stays as it is.

Set aside: messages with something that is no segment, without type, control id or version, with a time that can't be, or not in ENCODING; text
outside of messages; trailers that count other than what was read. With line, byte and reason; a message is set aside as a whole.

Configure it here. It needs nothing beyond the standard environment. HL7 v2.5.1, chapter 2, is what it follows.
"""

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa

MANIFEST = {"pattern": ["*.hl7", "*.hl7v2"], "topic": "hl7_messages"}

ENCODING = "utf-8"
ZONE = "UTC"  # of times that name none, like "Europe/Berlin"
SEGMENT_BYTES_MAX = 32 << 20  # documents may be in a field
KEPT_MAX = 10_000  # characters of a message that are kept in quarantine
ROWS = 10_000

NAMED = {
    "sending_application": 3,
    "sending_facility": 4,
    "receiving_application": 5,
    "receiving_facility": 6,
    "message_time_text": 7,
    "control_id": 10,
    "processing_id": 11,
    "version_id": 12,
}
MESSAGES = pa.schema(
    [
        *((name, pa.int64()) for name in ("message", "line", "byte")),
        *((name, pa.string()) for name in list(NAMED)[:4]),
        ("message_time", pa.timestamp("us", "UTC")),
        *((name, pa.string()) for name in ("message_time_text", "message_code", "trigger_event", "message_structure")),
        *((name, pa.string()) for name in ("control_id", "processing_id", "version_id")),
        ("segments", pa.int32()),
    ]
)
PLACE = ("segment_number", "segment", "field", "repetition", "component", "subcomponent", "value")
FIELDS = pa.schema([("message", pa.int64()), *((name, pa.string() if name in ("segment", "value") else pa.int32()) for name in PLACE)])
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_position", "text")])

ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,4}))?([+-]\d{4})?")


class Unreadable(Exception):
    """Why a message is set aside."""


class Handler:
    def execute(self, file_path: str):
        messages: list[dict] = []
        values: list[tuple] = []
        bad: list[dict] = []
        read = 0
        with open(file_path, "rb") as file:
            for segments, wrong in parts(file):
                line, byte, _ = segments[0]
                try:
                    if wrong:
                        raise Unreadable(wrong)
                    row, its_values = read_message(segments)
                    read += 1
                    messages.append({"message": read, "line": line, "byte": byte, **row})
                    values.extend((read, *value) for value in its_values)
                except (Unreadable, ValueError, OverflowError) as error:
                    text = b"\n".join(segment[:KEPT_MAX] for _, _, segment in segments[:1000]).decode(ENCODING, "backslashreplace")
                    bad.append({"_cf_reason": str(error), "_cf_position": f"line {line}, byte {byte}", "text": text[:KEPT_MAX]})
                if len(messages) + len(values) + len(bad) >= ROWS:
                    yield from tables(messages, values, bad)
                    messages, values, bad = [], [], []
        yield from tables(messages, values, bad)


def tables(messages: list[dict], values: list[tuple], bad: list[dict]):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(messages, MESSAGES)
    columns = zip(*values, strict=True) if values else [[] for _ in FIELDS]
    yield "hl7_fields", pa.table([pa.array(column, field.type) for column, field in zip(columns, FIELDS, strict=True)], schema=FIELDS)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


def lines_of(file):
    """Line, byte and bytes of what CR or LF ends, MLLP's frame taken off; and whether it is longer than is taken."""
    number, offset, rest, cut, ended = 1, 0, b"", False, False
    while not ended:
        more = file.read(1 << 20)
        ended = not more
        rest += more
        # CR at the end may be half of CR LF.
        whole = re.split(rb"(\r\n|\r|\n)", rest) if ended or not rest.endswith(b"\r") else re.split(rb"(\r\n|\n|\r(?!$))", rest)
        for at in range(0, len(whole) - 1, 2):
            yield number, offset, whole[at].strip(b"\x0b\x1c"), cut
            offset, number, cut = offset + len(whole[at]) + len(whole[at + 1]), number + 1, False
        rest = whole[-1]
        if len(rest) > SEGMENT_BYTES_MAX:
            yield number, offset, rest[:KEPT_MAX], True
            offset, rest, cut = offset + len(rest), b"", True
    if rest:
        yield number, offset, rest.strip(b"\x0b\x1c"), cut


def parts(file):
    """The segments of each message, and of whatever can't belong to one, with what is wrong with it."""
    message: list[tuple[int, int, bytes]] = []
    wrong = None
    counts = {b"BTS": 0, b"FTS": 0}
    for number, offset, line, cut in lines_of(file):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not line.strip():
            continue
        starts, envelope = line.startswith(b"MSH"), line[:3] in ENVELOPE
        if message and (starts or envelope):
            yield message, wrong
            message, wrong = [], None
        if starts:
            counts[b"BTS"] += 1
        if envelope:
            counted = count_envelope(line, counts)
            if counted:
                yield [(number, offset, line)], counted
        elif not starts and not message:
            yield [(number, offset, line)], "the text is in no message: no MSH segment stands before it"
        else:
            message.append((number, offset, line))
            wrong = wrong or (f"a segment is longer than {SEGMENT_BYTES_MAX} bytes" if cut else None)
    if message:
        yield message, wrong


def count_envelope(line: bytes, counts: dict[bytes, int]) -> str | None:
    """What a trailer says wrongly: BTS counts the messages of the batch, FTS the batches of the file."""
    name = line[:3]
    if name == b"BHS":
        counts[b"BTS"] = 0
    if name not in counts:
        return None
    said, read = line[4:].split(line[3:4])[0].strip(), counts[name]
    counts[name] = 0
    if name == b"BTS":
        counts[b"FTS"] += 1
    if said and said != str(read).encode():
        return (
            f"{name.decode()} says {said[:20].decode(ENCODING, 'replace')} {'messages' if name == b'BTS' else 'batches'}, {read} were read"
        )
    return None


def read_message(segments: list[tuple[int, int, bytes]]) -> tuple[dict, list[tuple]]:
    header = segments[0][2].decode(ENCODING)
    if len(header) < 8 or len(set(header[3:7])) < 4 or header[3].isalnum():
        raise Unreadable("MSH does not name its separators, like MSH|^~\\&")
    split = header[3:7] + (header[7] if header[7] != header[3] else "")
    values: list[tuple] = []
    for number, (line, _, segment) in enumerate(segments, 1):
        text = segment.decode(ENCODING)
        if not SEGMENT.fullmatch(text[:3]) or text[3:4] not in ("", split[0]):
            raise Unreadable(f"segment {number}, in line {line}, does not begin with a segment's name: {text[:20]!r}")
        values.extend((number, text[:3], *value) for value in values_of(text, split))
    first = {value[2:6]: value[6] for value in values if value[0] == 1}
    row = {name: first.get((field, 1, 1, 1)) for name, field in NAMED.items()}
    row |= {name: first.get((9, 1, at, 1)) for at, name in enumerate(("message_code", "trigger_event", "message_structure"), 1)}
    missing = [name for name in ("message_code", "control_id", "version_id") if row[name] is None]
    if missing:
        raise Unreadable(f"MSH has no {', '.join(missing)}")
    row["message_time"] = instant(row["message_time_text"])
    return row | {"segments": len(segments)}, values


def values_of(text: str, split: str):
    """field, repetition, component, subcomponent and value of each that is not empty."""
    field_mark, component_mark, repeat_mark, escape, part_mark = split[0], split[1], split[2], split[3], split[4:5]
    fields = text.split(field_mark)
    first = 1
    if text[:3] == "MSH":
        # The first field of MSH is the separator itself, the second the others, which are not to be split.
        yield 1, 1, 1, 1, field_mark
        yield 2, 1, 1, 1, fields[1]
        fields, first = fields[1:], 2
    for number, field in enumerate(fields[1:], first + 1 if first == 2 else 1):
        if not field:
            continue
        for repetition, repeated in enumerate(field.split(repeat_mark), 1):
            for component, part in enumerate(repeated.split(component_mark), 1):
                for subcomponent, value in enumerate(part.split(part_mark) if part_mark else [part], 1):
                    if value:
                        yield number, repetition, component, subcomponent, unescape(value, split, escape) if escape in value else value


def unescape(text: str, split: str, escape: str) -> str:
    """Separators, hexadecimal bytes and line breaks; other sequences, such as highlighting, stay as they are."""
    known = {"F": split[0], "S": split[1], "R": split[2], "E": escape, "T": split[4:5], ".br": "\n"}

    def plain(found: re.Match) -> str:
        name = found[1]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", name):
            return bytes.fromhex(name[1:]).decode(ENCODING)
        return known.get(name, found[0])

    mark = re.escape(escape)
    return re.sub(rf"{mark}([^{mark}]{{1,100}}){mark}", plain, text)


def instant(text: str | None) -> datetime | None:
    if text is None or text == '""':
        return None
    found = TIME.fullmatch(text)
    if found is None:
        raise Unreadable(f"the time of MSH-7, {text[:40]!r}, is not like 20240131235959.1234+0100")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    zone = ZoneInfo(ZONE)
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    micros = int((fraction or "").ljust(6, "0"))
    return datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), micros, zone)
