"""FIX messages out of log and message files: one row for each message, verified.

In: files with FIX 4.x, 5.x (FIXT) messages, apart by line ends or by nothing, whose fields end with SOH, `|`, `;` or `^A`; on their lines other
text may stand before and after them, such as the time and direction of a log.

Out, `fix_messages`: line and byte (from 0) of its beginning int64, log_prefix, log_suffix, begin_string, body_length int32, msg_type,
msg_seq_num int64, sender, target, sending_time timestamp[TIME_UNIT, UTC]; the fields of COLUMNS as text, decimal128(38, 18) or time; and
`fields`, a list of tag int32 and value of all fields in their order, repeating groups among them. No field is lost.

Set aside, with line, byte and reason: a message whose BodyLength (9) or CheckSum (10) does not hold (FIX Transport, "Message integrity"), that is
cut off or without a tag that every message has, a value that is not of its type, and, unless OTHER_LINES is "ignore", text of a line that has no message.
A tag of COLUMNS that comes more than once, as in a repeating group, is taken from its first time; all are in `fields`.

Configure it here. It needs nothing beyond the standard environment.
"""

import re
from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa

MANIFEST = {"pattern": ["*.fix", "*.messages*.log", "fix*.log"], "topic": "fix_messages"}

# Tag: column and what it is: "text", "decimal", "int" or "time".
COLUMNS = {
    1: ("account", "text"),
    11: ("cl_ord_id", "text"),
    41: ("orig_cl_ord_id", "text"),
    37: ("order_id", "text"),
    17: ("exec_id", "text"),
    150: ("exec_type", "text"),
    39: ("ord_status", "text"),
    55: ("symbol", "text"),
    54: ("side", "text"),
    40: ("ord_type", "text"),
    59: ("time_in_force", "text"),
    38: ("order_qty", "decimal"),
    44: ("price", "decimal"),
    99: ("stop_px", "decimal"),
    32: ("last_qty", "decimal"),
    31: ("last_px", "decimal"),
    14: ("cum_qty", "decimal"),
    151: ("leaves_qty", "decimal"),
    6: ("avg_px", "decimal"),
    15: ("currency", "text"),
    60: ("transact_time", "time"),
    58: ("text", "text"),
}
TIME_UNIT = "us"  # "ns" where times have more than six digits after the second; most databases keep six
VERIFY = True  # False takes messages whose length or checksum does not hold, as in logs that somebody has made anonymous
OTHER_LINES = "quarantine"  # or "ignore"
ENCODING = "utf-8"
MESSAGE_BYTES_MAX = 1 << 20
KEPT_MAX = 10_000  # characters of a message that are kept in quarantine
ROWS = 10_000

TYPES = {"text": pa.string(), "decimal": pa.decimal128(38, 18), "int": pa.int64(), "time": pa.timestamp(TIME_UNIT, "UTC")}
SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("byte", pa.int64()),
        *((name, pa.string()) for name in ("log_prefix", "log_suffix", "begin_string")),
        ("body_length", pa.int32()),
        ("msg_type", pa.string()),
        ("msg_seq_num", pa.int64()),
        ("sender", pa.string()),
        ("target", pa.string()),
        ("sending_time", TYPES["time"]),
        *((name, TYPES[kind]) for name, kind in COLUMNS.values()),
        ("fields", pa.list_(pa.struct([("tag", pa.int32()), ("value", pa.string())]))),
    ]
)
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_column", "_cf_position", "text")])

SOH = b"\x01"
START = re.compile(rb"(?<![0-9])8=FIXT?\.[0-9.]{1,5}[A-Z0-9]{0,4}(\x01|\||;|\^A)")
LENGTH = re.compile(rb"9=(\d{1,7})(?:\x01|\||;|\^A)")
TRAILER = re.compile(rb"(?:\x01|\||;|\^A)10=(?:\d{3}(?!\d)|[^\x01|;^\n]{1,8})(?:\x01|\||;|\^A)?")
SEEN_AHEAD = 64  # no beginning of a message is longer
# A length, and the field of so many bytes after it, in which the field's end may stand.
DATA = {90: 91, 93: 89, 95: 96, 212: 213, 445: 446, 618: 619, 621: 622, **{tag: tag + 1 for tag in range(348, 366, 2)}}


class Garbled(Exception):
    """Why a message is set aside, and by which column."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.column = column


class Handler:
    def execute(self, file_path: str):
        good: list[dict] = []
        bad: list[dict] = []
        with open(file_path, "rb") as file:
            for is_message, raw, place, around in pieces(file):
                if not is_message and (OTHER_LINES == "ignore" or not raw.strip()):
                    continue
                try:
                    if not is_message:
                        raise Garbled("there is no FIX message in this text")
                    good.append(place | around | read(raw))
                except (Garbled, ValueError) as error:
                    text = raw.decode(ENCODING, "backslashreplace")[:KEPT_MAX]
                    position = f"line {place['line']}, byte {place['byte']}"
                    why = {"_cf_reason": str(error), "_cf_column": getattr(error, "column", None)}
                    bad.append({**why, "_cf_position": position, "text": text})
                if len(good) + len(bad) >= ROWS:
                    yield from tables(good, bad)
                    good, bad = [], []
        yield from tables(good, bad)


def tables(good: list[dict], bad: list[dict]):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(good, SCHEMA)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


def pieces(file):
    """Yields (True, message) and (False, other text of one line), each with its place and what stands around a message in its line."""
    window = Window(file)
    while window.fill(MESSAGE_BYTES_MAX):
        found = START.search(window.bytes, window.at)
        limit = found.start() if found else max(window.at, len(window.bytes) - SEEN_AHEAD)
        if not found and window.ended:
            limit = len(window.bytes)
        prefix = yield from others(window, limit, found is None)
        if found is None:
            continue
        window.fill(2 * MESSAGE_BYTES_MAX)
        start = START.match(window.bytes, window.at)
        place = window.place()
        raw = window.take(end_of_message(window.bytes, window.at, start) - window.at)
        window.fill(MESSAGE_BYTES_MAX)
        stop = next((at for at in (window.bytes.find(b"\n", window.at),) if at >= 0), len(window.bytes))
        following = START.search(window.bytes, window.at, min(len(window.bytes), stop + SEEN_AHEAD))
        suffix = window.take((min(stop, following.start()) if following else stop) - window.at)
        yield True, raw, place, {"log_prefix": words(prefix), "log_suffix": words(suffix)}


def others(window: "Window", limit: int, last: bool):
    """Whole lines before `limit` as text without a message; returns what begins the line of the message."""
    while window.at < limit:
        end = window.bytes.find(b"\n", window.at, limit)
        if end < 0 and not last:
            return window.take(limit - window.at)
        if end < 0 and not window.ended and limit - window.at < MESSAGE_BYTES_MAX - SEEN_AHEAD:
            window.fill(2 * MESSAGE_BYTES_MAX)
            return b""
        place = window.place()
        yield False, window.take((limit if end < 0 else end + 1) - window.at), place, {}
    return b""


class Window:
    """The part of a file that is looked at."""

    def __init__(self, file) -> None:
        self.file, self.bytes, self.at, self.before, self.line, self.ended = file, b"", 0, 0, 1, False

    def fill(self, ahead: int) -> bool:
        """Sees to it that so many bytes are there, if the file has them; False at its end."""
        while not self.ended and len(self.bytes) - self.at < ahead:
            more = self.file.read(4 * MESSAGE_BYTES_MAX)
            self.ended = not more
            self.before += self.at
            self.bytes, self.at = self.bytes[self.at :] + more, 0
        return self.at < len(self.bytes)

    def take(self, length: int) -> bytes:
        taken = self.bytes[self.at : self.at + length]
        self.at += length
        self.line += taken.count(b"\n")
        return taken

    def place(self) -> dict:
        return {"line": self.line, "byte": self.before + self.at}


def end_of_message(buffer: bytes, at: int, start: re.Match) -> int:
    """Where BodyLength says, if the trailer stands there; else after the first trailer of the line; else where line or next message is."""
    length = LENGTH.match(buffer, start.end())
    if length and start[1] != b"^A":
        trailer = TRAILER.match(buffer, length.end() + int(length[1]) - 1)
        if trailer:
            return trailer.end()
    following = START.search(buffer, start.end(), at + MESSAGE_BYTES_MAX)
    line_end = buffer.find(b"\n", at, at + MESSAGE_BYTES_MAX)
    limit = min(
        end for end in (following and following.start(), line_end, at + MESSAGE_BYTES_MAX, len(buffer)) if end is not None and end >= 0
    )
    trailer = TRAILER.search(buffer, start.end() - len(start[1]), limit)
    return trailer.end() if trailer else limit


def read(raw: bytes) -> dict:
    end = START.match(raw)[1]
    message = raw.rstrip(b"\r").replace(end, SOH) if end != SOH else raw
    fields = list(fields_of(message if message.endswith(SOH) else message + SOH))
    verify(message, fields)
    first: dict[int, str] = {}
    for tag, value in fields:
        first.setdefault(tag, value)
    missing = [str(tag) for tag in (35, 34, 49, 52, 56) if tag not in first]
    if missing:
        raise Garbled(f"tag {', '.join(missing)} is missing")
    row = {
        "begin_string": first[8],
        "body_length": value_of("body_length", "int", first[9]),
        "msg_type": first[35],
        "msg_seq_num": value_of("msg_seq_num", "int", first[34]),
        "sender": first[49],
        "target": first[56],
        "sending_time": value_of("sending_time", "time", first[52]),
        "fields": [{"tag": tag, "value": value} for tag, value in fields],
    }
    return row | {name: value_of(name, kind, first[tag]) for tag, (name, kind) in COLUMNS.items() if tag in first}


def fields_of(message: bytes):
    at, data_length = 0, None
    while at < len(message):
        equal = message.find(b"=", at)
        end = message.find(SOH, at)
        tag = message[at:equal] if 0 <= equal < end else b""
        if not re.fullmatch(rb"[1-9]\d{0,8}", tag):
            raise Garbled(f"{message[at : end if end >= 0 else None][:40]!r} is not tag=value, at byte {at} of the message")
        number = int(tag)
        if data_length is not None and number == data_length[0]:
            end = equal + 1 + data_length[1]
            if message[end : end + 1] != SOH:
                raise Garbled(f"field {number} has not the {data_length[1]} bytes that the field before it says")
        value = message[equal + 1 : end].decode(ENCODING)
        data_length = (DATA[number], int(value)) if number in DATA and value.isascii() and value.isdigit() else None
        yield number, value
        at = end + 1


def verify(message: bytes, fields: list[tuple[int, str]]) -> None:
    tags = [tag for tag, _ in fields]
    if tags[:3] != [8, 9, 35] or tags[-1] != 10:
        raise Garbled(
            "the message is cut off: it does not end with tag 10" if tags[-1] != 10 else "the message does not begin with the tags 8, 9, 35"
        )
    if not VERIFY:
        return
    body = message.index(SOH, message.index(SOH) + 1) + 1
    trailer = message.rindex(SOH + b"10=") + 1
    if str(trailer - body) != fields[1][1].lstrip("0"):
        raise Garbled(f"BodyLength (9) is {fields[1][1]}, {trailer - body} bytes were counted")
    checksum = sum(message[:trailer]) % 256
    if fields[-1][1] != f"{checksum:03}":
        raise Garbled(f"CheckSum (10) is {fields[-1][1]}, {checksum:03} was computed")


def value_of(name: str, kind: str, text: str):
    if kind == "text":
        return text
    if kind == "int" and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if (
        kind == "decimal"
        and (found := re.fullmatch(r"[+-]?0*(\d{0,20})\.?(\d*?)0*|", text))
        and len(found[2] or "") <= 18
        and re.search(r"\d", text)
    ):
        return Decimal(text)
    if kind == "time" and (found := re.fullmatch(r"(\d{8}-\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?", text)):
        return instant(found[1], (found[2] or "").rstrip("0"), name)
    raise Garbled(f"{text[:60]!r} is not {'a time in UTC' if kind == 'time' else 'a number that the column can hold'}", name)


def instant(seconds: str, fraction: str, name: str):
    digits = {"us": 6, "ns": 9}[TIME_UNIT]
    if len(fraction) > digits:
        raise Garbled(f"the time has more than {digits} digits after the second", name)
    at = datetime.strptime(seconds, "%Y%m%d-%H:%M:%S").replace(tzinfo=timezone.utc)
    if TIME_UNIT == "us":
        return at.replace(microsecond=int(fraction.ljust(6, "0")))
    if not 1678 <= at.year <= 2261:
        raise Garbled("a time in nanoseconds can't hold the year", name)
    return int(at.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def words(text: bytes) -> str | None:
    return text.decode(ENCODING, "backslashreplace").strip() or None
