"""The data channel to Node: frames of 8 bytes of head (length, kind, output number) and payload, all little-endian.

OPEN: the output's name. MESSAGE: one encapsulated Arrow IPC message. END: JSON, rows by output. ERROR: JSON, what went wrong.
"""

import os
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Any

from . import zmtp

OPEN, MESSAGE, END, ERROR = 1, 2, 3, 4

_HEAD = struct.Struct("<IBBH")
# Below this, joining is cheaper than handing the kernel many pieces.
_JOIN_BYTES_MAX = 256 * 1024
_PIECES_MAX = 1024  # IOV_MAX


class Channel:
    def __init__(self, descriptor: int, zeromq: bool = False) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._window = zmtp.Window(self._socket) if zeromq else None

    def send(self, kind: int, output: int, parts: Sequence[Any]) -> None:
        """Blocks while Node is behind: this is the back-pressure. Parts are bytes or Arrow buffers; none is copied if they are large."""
        if os.getpid() != self._owner:
            # A plugin that forks and lets the copy run on would send everything twice.
            os._exit(71)
        size = sum(len(part) for part in parts)
        pieces = [_HEAD.pack(size, kind, 0, output), *parts]
        if size <= _JOIN_BYTES_MAX:
            pieces = [b"".join(pieces)]
        views = [memoryview(piece).cast("B") for piece in pieces if len(piece) > 0]
        with self._lock:
            if self._window is None:
                self._send_pieces(views)
                return
            for message in zmtp.cut(views):
                self._window.take()
                self._send_pieces(message)

    def _send_pieces(self, pieces: list[memoryview]) -> None:
        at = 0
        while at < len(pieces):
            sent = self._socket.sendmsg(pieces[at : at + _PIECES_MAX])
            while at < len(pieces) and sent >= len(pieces[at]):
                sent -= len(pieces[at])
                at += 1
            if sent > 0:
                pieces[at] = pieces[at][sent:]
