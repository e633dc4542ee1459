# /// script
# requires-python = ">=3.10"
# dependencies = ["evtx>=0.11,<1", "pyarrow>=17"]
# ///
"""Windows event logs (EVTX): one row for each event.

In: `.evtx` files, also those that were copied from a running system ("dirty").

Out, `windows_events`: record_id int64 (EventRecordID), written_time and time_created timestamp[us, UTC] (cut off to microseconds; Windows counts
100 ns), provider, event_id int32, qualifiers int32, version int16, level int16 (1 critical, 2 error, 3 warning, 4 information, 5 verbose), task
int32, opcode int32, keywords, channel, computer, user_id (SID), process_id and thread_id int64, activity_id, data: EventData or UserData as JSON,
event: the whole event as JSON, so nothing is lost; chunk int32 and chunk_intact: whether the checksum of its chunk of 64 KiB holds.

Set aside: events that can't be read, each with its number in the log and its chunk's number and byte; chunks that are damaged or cut off, with
how many events they should hold. How many events a chunk has is told by its header, and every one of them is a row or set aside.

Configure it here. Layout of file and chunks: [MS-EVEN6] and libyal's "Windows XML Event Log (EVTX) format".
"""

import io
import json
import re
import struct
import zlib
from datetime import datetime, timezone

import pyarrow as pa
from evtx import PyEvtxParser

MANIFEST = {"pattern": "*.evtx", "topic": "windows_events"}

ROWS = 10_000
EVENTS_OF_A_CHUNK_MAX = 3_000  # none is smaller than 24 bytes: a header that claims more is damaged

TEXTS = ("channel", "computer", "user_id")
SCHEMA = pa.schema(
    [
        ("record_id", pa.int64()),
        ("written_time", pa.timestamp("us", "UTC")),
        ("time_created", pa.timestamp("us", "UTC")),
        ("provider", pa.string()),
        ("event_id", pa.int32()),
        ("qualifiers", pa.int32()),
        ("version", pa.int16()),
        ("level", pa.int16()),
        ("task", pa.int32()),
        ("opcode", pa.int32()),
        *((name, pa.string()) for name in ("keywords", *TEXTS)),
        ("process_id", pa.int64()),
        ("thread_id", pa.int64()),
        *((name, pa.string()) for name in ("activity_id", "data", "event")),
        ("chunk", pa.int32()),
        ("chunk_intact", pa.bool_()),
    ]
)
REJECTED = pa.schema([("_cf_reason", pa.string()), ("_cf_position", pa.string()), ("events", pa.int64())])
HEADER_BYTES = 4096
CHUNK_BYTES = 65_536


class Handler:
    def execute(self, file_path: str):
        good: list[dict] = []
        bad: list[dict] = []
        with open(file_path, "rb") as file:
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES or header[:8] != b"ElfFile\0":
                raise ValueError(f"the file is no event log: it has {len(header)} bytes of a header, which begins with {header[:8]!r}")
            number = 0
            while chunk := file.read(CHUNK_BYTES):
                number += 1
                events, wrong = events_of(header, chunk, number)
                good.extend(events)
                position = f"chunk {number}, byte {HEADER_BYTES + (number - 1) * CHUNK_BYTES}"
                bad.extend({"_cf_reason": why, "_cf_position": place or position, "events": count} for why, place, count in wrong)
                if len(good) + len(bad) >= ROWS:
                    yield from tables(good, bad)
                    good, bad = [], []
            said = struct.unpack_from("<H", header, 42)[0]
            if number < said and struct.unpack_from("<I", header, 120)[0] & 1 == 0:
                why = f"the file is cut off: it says that it has {said} chunks, {number} are there"
                bad.append({"_cf_reason": why, "_cf_position": f"after chunk {number}", "events": None})
        yield from tables(good, bad)


def tables(good: list[dict], bad: list[dict]):
    # Also without a row, because what is set aside belongs to an output.
    yield pa.Table.from_pylist(good, SCHEMA)
    if bad:
        yield "_quarantine", pa.Table.from_pylist(bad, REJECTED)


def events_of(header: bytes, chunk: bytes, number: int) -> tuple[list[dict], list[tuple]]:
    """Rows, and what is wrong: reason, place (None: the chunk's), how many events."""
    if len(chunk) < CHUNK_BYTES:
        return [], [(f"the file ends within this chunk, after {len(chunk)} of its {CHUNK_BYTES} bytes", None, None)]
    if not chunk[:8].strip(b"\0"):
        return [], []  # Room that the log has not used yet.
    if chunk[:8] != b"ElfChnk\0":
        return [], [(f"the chunk does not begin like one but with {chunk[:8]!r}", None, None)]
    first, last = struct.unpack_from("<QQ", chunk, 24)
    if first > last or last - first >= EVENTS_OF_A_CHUNK_MAX:
        return [], [] if last + 1 == first or (first, last) == (2**64 - 1, 2**64 - 1) else [("the chunk's header is damaged", None, None)]
    intact = checksums_hold(chunk)
    rows, wrong = [], []
    unread, seen = set(range(first, last + 1)), set()
    # A log of one chunk, so that no other part of the file is in memory and a damaged chunk harms no other.
    alone = header[:16] + bytes(16) + header[32:42] + struct.pack("<H", 1) + header[44:120] + bytes(4) + header[124:]
    for event, error in each(io.BytesIO(alone + chunk)):
        record = None if event is None else event["event_record_id"]
        if error is None and record not in seen:
            seen.add(record)
            try:
                rows.append({**row_of(event), "chunk": number, "chunk_intact": intact})
                unread.discard(record)
            except (ValueError, TypeError, OverflowError, AttributeError) as failure:
                error = str(failure)
                unread.add(record)
        if error is not None:
            wrong.append((error, record))
    place = f"chunk {number}, byte {HEADER_BYTES + (number - 1) * CHUNK_BYTES}"
    why = "; ".join(sorted({error for error, _ in wrong}))[:500] or "the event is not where the chunk's header says"
    return rows, [(why, f"event {record}, {place}", 1) for record in sorted(unread)]


def each(file):
    """Event and None, or None and what is wrong."""
    try:
        events = iter(PyEvtxParser(file, number_of_threads=1).records_json())
    except (OSError, RuntimeError, ValueError) as error:
        yield None, str(error)
        return
    for _ in range(2 * EVENTS_OF_A_CHUNK_MAX):
        try:
            yield next(events), None
        except StopIteration:
            return
        except (OSError, RuntimeError, ValueError) as error:
            yield None, str(error)


def checksums_hold(chunk: bytes) -> bool:
    (free,) = struct.unpack_from("<I", chunk, 48)
    (data,) = struct.unpack_from("<I", chunk, 52)
    (header,) = struct.unpack_from("<I", chunk, 124)
    return zlib.crc32(chunk[:120] + chunk[128:512]) == header and 512 <= free <= CHUNK_BYTES and zlib.crc32(chunk[512:free]) == data


def row_of(record: dict) -> dict:
    event = json.loads(record["data"])["Event"]
    system = event.get("System") or {}
    event_id = system.get("EventID")
    execution, correlation = attributes(system, "Execution"), attributes(system, "Correlation")
    data = event.get("EventData", event.get("UserData"))
    return {
        "record_id": whole(system.get("EventRecordID", record["event_record_id"])),
        "written_time": instant(record["timestamp"]),
        "time_created": instant(attributes(system, "TimeCreated").get("SystemTime")),
        "provider": attributes(system, "Provider").get("Name"),
        "event_id": whole(event_id.get("#text") if isinstance(event_id, dict) else event_id),
        "qualifiers": whole(event_id.get("#attributes", {}).get("Qualifiers")) if isinstance(event_id, dict) else None,
        **{name.lower(): whole(system.get(name)) for name in ("Version", "Level", "Task", "Opcode")},
        **{name.lower(): system.get(name) for name in ("Keywords", "Channel", "Computer")},
        "user_id": attributes(system, "Security").get("UserID"),
        "process_id": whole(execution.get("ProcessID")),
        "thread_id": whole(execution.get("ThreadID")),
        "activity_id": correlation.get("ActivityID"),
        "data": None if data is None else json.dumps(data, ensure_ascii=False),
        "event": record["data"],
    }


def whole(value: int | str | None) -> int | None:
    """Events that were forwarded have their numbers as text."""
    return None if value in (None, "") else int(value)


def attributes(system: dict, name: str) -> dict:
    element = system.get(name)
    return element.get("#attributes") or {} if isinstance(element, dict) else {}


def instant(text: str | None) -> datetime | None:
    if not text:
        return None
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text)
    if found is None:
        raise ValueError(f"the time {text[:40]!r} can't be read")
    at = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S")
    return at.replace(microsecond=int((found[3] or "")[:6].ljust(6, "0")), tzinfo=timezone.utc)
