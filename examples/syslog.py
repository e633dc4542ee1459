"""Syslog files: one row for each line, whichever of the usual forms it has.

In: text files as syslog daemons write them, also mixed: RFC 5424 (`<34>1 2024-10-11T22:14:15.003Z host app 123 ID47 - text`), RFC 3164
(`Oct 11 22:14:15 host su[12]: text`, with `<34>` before it or not, with a year after the day or not) and the RFC 3339 times of rsyslog and
systemd (`2024-10-11T22:14:15.003+02:00 host su[12]: text`), with or without a host.

Out, `syslog`: line int64, priority int16, facility and severity (their names), time timestamp[us, UTC], host, app, process_id, message_id,
structured_data (as it stands), message: text, null where a line has none.

Set aside: lines without such a beginning (also what follows of an entry of several lines), times that don't exist, lines that are not in
ENCODING or longer than LINE_BYTES_MAX; with line, byte and reason. Empty lines are no records.

Configure it here. It needs nothing beyond the standard environment.
"""

import os
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa

MANIFEST = {"pattern": ["*.syslog", "syslog*", "messages*", "auth.log*"], "topic": "syslog"}

ENCODING = "utf-8"
ZONE = "UTC"  # of times that name none, like "Europe/Berlin"
YEAR = None  # of the last line, for times without a year; None: the last year in the file's name, else that of its last change
LINE_BYTES_MAX = 1 << 20
KEPT_MAX = 10_000  # characters of a line that are kept in quarantine
ROWS = 10_000

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 "
    "local7"
).split()
SEVERITIES = "emerg alert crit err warning notice info debug".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("priority", pa.int16()),
        ("facility", pa.string()),
        ("severity", pa.string()),
        ("time", pa.timestamp("us", "UTC")),
        *((name, pa.string()) for name in ("host", "app", "process_id", "message_id", "structured_data", "message")),
    ]
)
REJECTED = pa.schema([(name, pa.string()) for name in ("_cf_reason", "_cf_position", "text")])

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"
MODERN = re.compile(
    rf"<(?P<priority>\d{{1,3}})>1 (?P<iso>-|{ISO}) (?P<host>\S+) (?P<app>\S+) (?P<process_id>\S+) (?P<message_id>\S+) "
    r'(?P<structured_data>-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: (?P<message>.*))?',
    re.DOTALL,
)
OLD = re.compile(
    rf"(?:<(?P<priority>\d{{1,3}})>)?(?:(?P<iso>{ISO})|(?P<month>{'|'.join(MONTHS)}) +(?P<day>\d{{1,2}})(?: (?P<year>\d{{4}}))? "
    r"(?P<clock>\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?) (?:(?P<host>[^\s\[\]]*[^\s\[\]:]) )?(?:(?P<app>[^\s:\[]+)(?:\[(?P<process_id>[^\]]*)\])?: ?)?(?P<message>.*)",
    re.DOTALL,
)
MONTH = re.compile(rb"(?:<\d{1,3}>)?(" + "|".join(MONTHS).encode() + rb") ")


class Unreadable(Exception):
    """Why a line is set aside."""


class Handler:
    def execute(self, file_path: str):
        years = Years(file_path)
        good: list[dict] = []
        bad: list[dict] = []
        with open(file_path, "rb") as file:
            for number, offset, line, too_long in lines_of(file):
                if not line.strip():
                    continue
                try:
                    if too_long:
                        raise Unreadable(f"the line is longer than {LINE_BYTES_MAX} bytes")
                    good.append({"line": number, **read(line, years)})
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


def read(line: bytes, years: "Years") -> dict:
    text = line.decode(ENCODING).removeprefix("\ufeff")
    found = MODERN.fullmatch(text) or OLD.fullmatch(text)
    if found is None:
        raise Unreadable("the line does not begin like a line of syslog: priority, time and host")
    parts = found.groupdict()
    row = {name: None if parts.get(name) in (None, "-", "") else parts[name] for name in SCHEMA.names[5:]}
    row["message"] = parts["message"]
    row["time"] = None if parts["iso"] == "-" else instant(parts["iso"]) if parts["iso"] else years.instant(parts)
    if parts["priority"] is not None:
        priority = int(parts["priority"])
        if priority > 191:
            raise Unreadable(f"priority {priority} is more than 191")
        row |= {"priority": priority, "facility": FACILITIES[priority // 8], "severity": SEVERITIES[priority % 8]}
    return row


def instant(text: str) -> datetime:
    date_and_clock, fraction, zone = re.fullmatch(r"(.{19})(?:\.(\d+))?(.+)", text).groups()
    offset = timezone.utc
    if zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        offset = timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    return datetime.strptime(date_and_clock, "%Y-%m-%dT%H:%M:%S").replace(microsecond=micros(fraction), tzinfo=offset)


def micros(fraction: str | None) -> int:
    digits = (fraction or "").lstrip(".").rstrip("0")
    if len(digits) > 6:
        raise Unreadable("the time is finer than a microsecond")
    return int(digits.ljust(6, "0"))


class Years:
    """The year of lines that don't tell it: counted back from the last line, one for each turn of a year on the way."""

    def __init__(self, path: str) -> None:
        self.zone = ZoneInfo(ZONE)
        named = re.findall(r"(?<!\d)(?:19|20)\d\d(?=\D|[01]\d[0-3]\d|$)", os.path.basename(path))
        last = YEAR or (int(named[-1]) if named else datetime.fromtimestamp(os.stat(path).st_mtime, self.zone).year)
        turns, self.month = 0, None
        with open(path, "rb") as file:
            for _, _, line, _ in lines_of(file):
                if found := MONTH.match(line):
                    turns += self.turn(MONTHS.index(found[1].decode()))
        self.year, self.month = last - turns, None

    def turn(self, month: int) -> int:
        """1 from December to January, -1 where a line comes late, from January back to December."""
        before, self.month = self.month, month
        return 0 if before is None or abs(month - before) < 6 else 1 if month < before else -1

    def instant(self, parts: dict) -> datetime:
        month = MONTHS.index(parts["month"])
        self.year += self.turn(month)
        text = f"{parts['year'] or self.year}-{month + 1}-{parts['day']} {parts['clock']}"
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(microsecond=micros(parts["fraction"]), tzinfo=self.zone)
