"""Access logs of web servers: one row for each request.

In: the common and the combined format of Apache and nginx, with a virtual host before it or more quoted fields after it, and the W3C
extended format of IIS, which names its fields in lines that begin with `#Fields:`; also mixed in one file.

Out, `web_log`: line int64, time timestamp[us, UTC], utc_offset (as written, "+0200"; null in W3C, which is in UTC), virtual_host,
client, identity, user, method, target, protocol, request (as written, where it is not method, target and protocol), status int16, bytes
int64, referrer, user_agent, more (what else the line has: text; in W3C JSON by field). `-` is null. Quoted text stays as the server has
escaped it.

Set aside: lines of no such format, times and numbers that can't be, lines that are not in ENCODING or longer than LINE_BYTES_MAX; with
line, byte and reason. Empty lines and directives are no records.

Configure it here. It needs nothing beyond the standard environment.
"""

import json
import re
from datetime import datetime, timedelta, timezone

import pyarrow as pa

MANIFEST = {"pattern": ["access*log*", "u_ex*.log"], "topic": "web_log"}

ENCODING = "utf-8"
LINE_BYTES_MAX = 1 << 20
KEPT_MAX = 10_000  # characters of a line that are kept in quarantine
ROWS = 10_000

TEXTS = ("virtual_host", "client", "identity", "user", "method", "target", "protocol", "request")
SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("time", pa.timestamp("us", "UTC")),
        ("utc_offset", pa.string()),
        *((name, pa.string()) for name in TEXTS),
        ("status", pa.int16()),
        ("bytes", pa.int64()),
        *((name, pa.string()) for name in ("referrer", "user_agent", "more")),
    ]
)
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_position", "text")])

QUOTED = r'"((?:[^"\\]|\\.)*)"'
COMMON = re.compile(
    rf"(?:(?P<virtual_host>\S+) )?(?P<client>\S+) (?P<identity>\S+) (?P<user>.+?|\"\") \[(?P<time>[^\]]+)\] {QUOTED} (?P<status>\d{{3}}|-) "
    rf"(?P<bytes>\d+|-)(?: {QUOTED} {QUOTED})?(?: (?P<more>.*))?"
)
TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? ([+-]\d{4})")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
W3C = {
    "s-computername": "virtual_host",
    "cs-host": "virtual_host",
    "c-ip": "client",
    "cs-username": "user",
    "cs-method": "method",
    "cs-uri": "target",
    "cs-version": "protocol",
    "sc-status": "status",
    "sc-bytes": "bytes",
    "cs(referer)": "referrer",
    "cs(user-agent)": "user_agent",
}


class Unreadable(Exception):
    """Why a line is set aside."""


class Handler:
    def execute(self, file_path: str):
        reader = Reader()
        good: list[dict] = []
        bad: list[dict] = []
        with open(file_path, "rb") as file:
            for number, offset, line, too_long in lines_of(file):
                if not line.strip():
                    continue
                try:
                    if too_long:
                        raise Unreadable(f"the line is longer than {LINE_BYTES_MAX} bytes")
                    row = reader.read(line.decode(ENCODING).removeprefix("\ufeff"))
                    if row is not None:
                        good.append({"line": number, **row})
                except (Unreadable, ValueError) as error:
                    text = line.decode(ENCODING, "backslashreplace")[:KEPT_MAX]
                    bad.append({"_cf_reason": str(error), "_cf_position": f"line {number}, byte {offset}", "text": text})
                if len(good) + len(bad) >= ROWS:
                    yield from tables(good, bad)
                    good, bad = [], []
        yield from tables(good, bad)


def tables(good: list[dict], bad: list[dict]):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(good, SCHEMA)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


def lines_of(file):
    """Number, byte offset and bytes of each line; of one that is too long only its beginning, and True."""
    number = offset = 0
    while line := file.readline(LINE_BYTES_MAX):
        number += 1
        length, last = len(line), line
        while not last.endswith(b"\n") and (last := file.readline(LINE_BYTES_MAX)):
            length += len(last)
        yield number, offset, line.rstrip(b"\r\n"), length > len(line)
        offset += length


class Reader:
    """Remembers the fields and the date that directives of the W3C format have told."""

    def __init__(self) -> None:
        self.fields: list[str] | None = None
        self.date: str | None = None

    def read(self, text: str) -> dict | None:
        """None for a directive."""
        if text.startswith("#"):
            self._directive(text)
            return None
        row = self._w3c(text) if self.fields is not None else common(text)
        row = {name: None if value == "-" else value for name, value in row.items()}
        row["status"] = number(row.get("status"), "status", 999)
        row["bytes"] = number(row.get("bytes"), "bytes", 2**63 - 1)
        return row

    def _directive(self, text: str) -> None:
        name, _, value = text[1:].partition(":")
        if name.lower() == "fields":
            self.fields = value.split()
        elif name.lower() == "date":
            self.date = value.strip().split(" ")[0]

    def _w3c(self, text: str) -> dict:
        # Fields are apart by blanks, and IIS writes + for a blank within one; others quote it.
        values = re.findall(r'"(?:[^"]|"")*"|\S+', text)
        if len(values) != len(self.fields):
            raise Unreadable(f"{len(values)} fields, the line #Fields names {len(self.fields)}")
        plain = (value[1:-1].replace('""', '"') if value[0] == '"' and len(value) > 1 else value for value in values)
        given = dict(zip((field.lower() for field in self.fields), plain, strict=True))
        row: dict = {}
        more = {}
        for field, value in given.items():
            if field in W3C and W3C[field] not in row:
                row[W3C[field]] = value
            elif field not in ("date", "time", "cs-uri-stem", "cs-uri-query"):
                more[field] = None if value == "-" else value
        stem, query = given.get("cs-uri-stem"), given.get("cs-uri-query", "-")
        if stem is not None and "target" not in row:
            row["target"] = stem if query == "-" else f"{stem}?{query}"
        row["more"] = json.dumps(more, ensure_ascii=False) if more else None
        date, clock = given.get("date", self.date), given.get("time")
        if date is None or clock is None:
            raise Unreadable("the line has no date and time, and no line #Date stands before it")
        form = "%Y-%m-%d %H:%M:%S.%f" if "." in clock else "%Y-%m-%d %H:%M:%S"
        row["time"] = datetime.strptime(f"{date} {clock}", form).replace(tzinfo=timezone.utc)
        return row


def common(text: str) -> dict:
    found = COMMON.fullmatch(text)
    if found is None:
        raise Unreadable("the line is neither in the common nor in the combined format of access logs")
    row = found.groupdict()
    request, referrer, agent = found[6], found[9], found[10]
    row["time"], row["utc_offset"] = instant(row["time"])
    method, target, protocol = parts if len(parts := request.split(" ")) == 3 else (None, None, None)
    row |= {"method": method, "target": target, "protocol": protocol, "request": request if method is None else None}
    return row | {"referrer": referrer, "user_agent": agent}


def instant(text: str) -> tuple[datetime, str]:
    found = TIME.fullmatch(text)
    if found is None or found[2] not in MONTHS:
        raise Unreadable(f"the time {text[:60]!r} is not like 10/Oct/2000:13:55:36 -0700")
    day, month, year, hour, minute, second, fraction, offset = found.groups()
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    micros = int((fraction or "").ljust(6, "0"))
    return datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), micros, zone), offset


def number(text: str | None, name: str, most: int) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,19}", text) or int(text) > most:
        raise Unreadable(f"{name} is {text[:60]!r}, which is not a number up to {most}")
    return int(text)
