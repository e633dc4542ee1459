"""What a plugin yields or publishes, turned into Arrow messages: one IPC stream for each output."""

import json
import re
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import channel
from .fault import Fault
from .schema import conform, refuse_columns
from .table import Rows, rows_of

_OUTPUTS_MAX = 256

Send = Callable[[int, int, Sequence[Any]], None]


class Outputs:
    """Not for several threads at once, as plugins are not."""

    def __init__(self, send: Send, default_output: str) -> None:
        self._send = send
        self._default = default_output
        self._open: dict[str, _Output] = {}

    def put_value(self, value: Any, where: str) -> None:
        """Takes a yielded value: rows, or a pair of an output's name and rows."""
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
            self.put(value[0], value[1], where)
        else:
            self.put(self._default, value, where)

    def put(self, name: Any, value: Any, where: str = "") -> None:
        rows = rows_of(value, where)
        _check_name(name, where)
        if rows is None:
            return
        output = self._open.get(name)
        if output is None:
            output = self._start(name, rows)
        output.write(rows, where)

    def finish(self, seconds: float = 0.0) -> None:
        """Tells how many rows went to each output, and how much of the plugin's time it took to send them; nothing may be put afterwards."""
        rows = {str(output.number): output.rows for output in self._open.values()}
        sending = sum(output.seconds for output in self._open.values())
        self._send(channel.END, 0, [json.dumps({"rows": rows, "seconds": {"plugin": seconds - sending, "sending": sending}}).encode()])

    def _start(self, name: str, rows: Rows) -> "_Output":
        if len(self._open) == _OUTPUTS_MAX:
            raise Fault("PLUGIN_INVALID_OUTPUT", f"output {name} is one too many: a plugin may have {_OUTPUTS_MAX}")
        refuse_columns(name, rows.schema)
        number = len(self._open)
        self._send(channel.OPEN, number, [name.encode()])
        output = self._open[name] = _Output(self._send, name, number, rows.schema)
        return output


class _Output:
    def __init__(self, send: Send, name: str, number: int, schema: Any) -> None:
        import pyarrow as pa

        self.name = name
        self.number = number
        self.rows = 0
        # Also of waiting for Node to take them.
        self.seconds = 0.0
        self._send = send
        self._schema = schema
        self._written = _Written()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._written, mode="w"), schema)
        # The writer writes the schema only before its first batch, but an output without rows has a schema too.
        self._send(channel.MESSAGE, number, [schema.serialize()])
        self._schema_written = False

    def write(self, rows: Rows, where: str) -> None:
        for batch in rows.batches:
            began = time.perf_counter()
            self._writer.write_batch(conform(batch, self._schema, self.name, where))
            self.rows += batch.num_rows
            messages = self._written.messages()
            for message in messages if self._schema_written else messages[1:]:
                self._send(channel.MESSAGE, self.number, message)
            self._schema_written = True
            self.seconds += time.perf_counter() - began


class _Written:
    """The file that Arrow writes a stream to. It keeps the pieces, which are Arrow's own buffers, and cuts them into messages."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[Any] = []

    def write(self, piece: Any) -> int:
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        pass

    def messages(self) -> list[list[Any]]:
        """Empties it. Arrow never writes across the end of a message."""
        pieces, self._pieces = self._pieces, []
        messages: list[list[Any]] = []
        left = 0
        for at, piece in enumerate(pieces):
            if left == 0:
                left = _message_bytes(pieces, at)
                messages.append([])
            messages[-1].append(piece)
            left -= len(piece)
        return messages


def _message_bytes(pieces: list[Any], at: int) -> int:
    """The length of the message that begins here: a continuation marker, the metadata's length, metadata, body."""
    head = b""
    while len(head) < 8:
        head += bytes(pieces[at])
        at += 1
    metadata_bytes = struct.unpack_from("<i", head, 4)[0]
    while len(head) < 8 + metadata_bytes:
        head += bytes(pieces[at])
        at += 1
    # A flatbuffer: the root table's offset, its vtable before it; the fourth field of Message is the body's length.
    table = 8 + struct.unpack_from("<I", head, 8)[0]
    vtable = table - struct.unpack_from("<i", head, table)[0]
    field = struct.unpack_from("<H", head, vtable + 10)[0] if struct.unpack_from("<H", head, vtable)[0] > 10 else 0
    body_bytes = struct.unpack_from("<q", head, table + field)[0] if field else 0
    return 8 + metadata_bytes + body_bytes


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        shown = repr(name) if len(repr(name)) < 200 else repr(name)[:200] + "…"
        raise Fault(
            "PLUGIN_INVALID_OUTPUT",
            f"{shown} can't be the name of an output{where}",
            "Use letters, digits, _, - and ., at most 100, not beginning with a dot or a dash.",
        )
